#define FOVEA_TIER avx2
#include "cpu/attention/tier.h"
