#define FOVEA_TIER avx2
#include "cpu/merge/fold.h"
