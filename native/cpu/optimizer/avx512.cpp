#define FOVEA_TIER avx512
#include "cpu/optimizer/step.h"
