#define FOVEA_TIER avx2
#include "cpu/append/store.h"
