#define FOVEA_TIER avx512
#include "cpu/attention/tier.h"
