#define FOVEA_TIER avx512_bf16
#include "cpu/attention/tier.h"
