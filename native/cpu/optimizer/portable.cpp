#define FOVEA_TIER portable
#include "cpu/optimizer/step.h"
