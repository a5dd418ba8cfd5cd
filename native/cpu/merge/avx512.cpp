#define FOVEA_TIER avx512
#include "cpu/merge/fold.h"
