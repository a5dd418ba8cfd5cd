#define FOVEA_TIER avx2
#include "cpu/activation/tier.h"
