#define FOVEA_TIER portable
#include "cpu/spatial/tier.h"
