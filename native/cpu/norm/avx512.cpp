#define FOVEA_TIER avx512
#include "cpu/norm/backward.h"
#include "cpu/norm/forward.h"
