#define FOVEA_TIER avx2
#include "cpu/projection/tier.h"
