#define FOVEA_TIER portable
#include "cpu/attention/tier.h"
