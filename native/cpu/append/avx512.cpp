#define FOVEA_TIER avx512
#include "cpu/append/store.h"
