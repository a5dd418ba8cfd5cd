#define FOVEA_TIER avx512
#include "cpu/spatial/tier.h"
