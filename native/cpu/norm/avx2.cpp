#define FOVEA_TIER avx2
#include "cpu/norm/backward.h"
#include "cpu/norm/forward.h"
