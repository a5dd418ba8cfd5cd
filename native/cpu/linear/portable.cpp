#define FOVEA_TIER portable
#include "cpu/linear/tier.h"
