#define FOVEA_TIER portable
#include "cpu/activation/tier.h"
