#define FOVEA_TIER avx2
#include "cpu/embedding/tier.h"
