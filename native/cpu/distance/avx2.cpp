#define FOVEA_TIER avx2
#include "cpu/distance/tier.h"
