#define FOVEA_TIER avx512
#include "cpu/channel/tier.h"
