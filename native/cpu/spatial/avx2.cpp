#define FOVEA_TIER avx2
#include "cpu/spatial/tier.h"
