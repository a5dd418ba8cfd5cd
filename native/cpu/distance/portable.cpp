#define FOVEA_TIER portable
#include "cpu/distance/tier.h"
