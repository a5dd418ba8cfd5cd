#define FOVEA_TIER avx2
#include "cpu/cross_entropy/tier.h"
