// All operations. Made by ops/Generate.java.
#pragma once

#include "ops/attention/operation.h"

#define FOVEA_OPERATIONS(X) X(attention)
