#define FOVEA_TIER portable
#include "cpu/merge/fold.h"
