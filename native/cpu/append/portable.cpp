#define FOVEA_TIER portable
#include "cpu/append/store.h"
