#define FOVEA_TIER avx512
#include "cpu/distance/tier.h"
