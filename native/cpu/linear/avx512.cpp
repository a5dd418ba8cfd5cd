#define FOVEA_TIER avx512
#include "cpu/linear/tier.h"
