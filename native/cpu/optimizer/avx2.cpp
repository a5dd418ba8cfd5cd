#define FOVEA_TIER avx2
#include "cpu/optimizer/step.h"
