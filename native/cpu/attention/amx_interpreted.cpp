#define FOVEA_TIER amx
#include "cpu/attention/tier.h"
