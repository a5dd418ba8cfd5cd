// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/channel/backward.h"
#include "cpu/channel/forward.h"
