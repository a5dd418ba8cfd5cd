#define FOVEA_TIER avx2
#include "cpu/channel/tier.h"
