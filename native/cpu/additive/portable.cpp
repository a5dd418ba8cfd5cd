#define FOVEA_TIER portable
#include "cpu/additive/tier.h"
