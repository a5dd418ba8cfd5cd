#include "core/glibc.h"

// The newer ones differ in what they say of errors, which nobody asks for.
FOVEA_GLIBC(exp2, "2.2.5");
FOVEA_GLIBC(exp2f, "2.2.5");
FOVEA_GLIBC(log2, "2.2.5");
