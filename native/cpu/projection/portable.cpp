#define FOVEA_TIER portable
#include "cpu/projection/tier.h"
