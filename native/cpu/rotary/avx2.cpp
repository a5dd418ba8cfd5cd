#define FOVEA_TIER avx2
#include "cpu/rotary/turn.h"
