#define FOVEA_TIER avx512
#include "cpu/additive/tier.h"
