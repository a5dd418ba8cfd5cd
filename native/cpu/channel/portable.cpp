#define FOVEA_TIER portable
#include "cpu/channel/tier.h"
