#define FOVEA_TIER avx512
#include "cpu/activation/tier.h"
