#define FOVEA_TIER portable
#include "cpu/cross_entropy/tier.h"
