// Of an operation, the kernels that each instruction set tier has.
#pragma once

#include "cpu/tier.h"

#define FOVEA_DECLARE_KERNELS(tier, isa) \
  namespace tier {                       \
  RunForward run_forward;                \
  RunBackward run_backward;              \
  }
#define FOVEA_KERNELS_CASE(tier, isa) \
  case isa:                           \
    return {tier::run_forward, tier::run_backward};

// Defines kernels_of in the namespace that it stands in, for the Kernels, RunForward and RunBackward there.
#define FOVEA_TIER_KERNELS           \
  FOVEA_TIERS(FOVEA_DECLARE_KERNELS) \
  Kernels kernels_of(int isa) {      \
    switch (isa) {                   \
      FOVEA_TIERS(FOVEA_KERNELS_CASE) \
      default:                       \
        return {};                   \
    }                                \
  }
