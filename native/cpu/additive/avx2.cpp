#define FOVEA_TIER avx2
#include "cpu/additive/tier.h"
