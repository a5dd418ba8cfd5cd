#define FOVEA_TIER portable
#include "cpu/rotary/turn.h"
