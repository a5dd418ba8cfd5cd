#define FOVEA_TIER avx512
#include "cpu/embedding/tier.h"
