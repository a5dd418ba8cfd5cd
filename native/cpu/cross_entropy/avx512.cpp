#define FOVEA_TIER avx512
#include "cpu/cross_entropy/tier.h"
