#define FOVEA_TIER portable
#include "cpu/norm/backward.h"
#include "cpu/norm/forward.h"
