#define FOVEA_TIER avx512
#include "cpu/projection/tier.h"
