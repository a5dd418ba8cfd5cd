#define FOVEA_TIER avx512
#include "cpu/rotary/turn.h"
