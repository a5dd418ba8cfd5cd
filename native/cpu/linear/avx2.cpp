#define FOVEA_TIER avx2
#include "cpu/linear/tier.h"
