#define FOVEA_TIER portable
#include "cpu/embedding/tier.h"
