// Passes of an operation over images, each a kernel of every instruction set tier.
#pragma once

#include "core/backend.h"
#include "cpu/tier.h"

#define FOVEA_DECLARE_TIER(tier, isa)                                 \
  namespace tier {                                                    \
  void run_forward(const backend::Run& run, const fovea_call& call);  \
  void run_backward(const backend::Run& run, const fovea_call& call); \
  }
#define FOVEA_FORWARD_CASE(tier, isa) \
  case isa:                           \
    tier::run_forward(run, call);     \
    return FOVEA_OK;
#define FOVEA_BACKWARD_CASE(tier, isa) \
  case isa:                            \
    tier::run_backward(run, call);     \
    return FOVEA_OK;

// Defines run_forward and run_backward in the namespace that it stands in.
#define FOVEA_IMAGE_PASSES                                        \
  FOVEA_TIERS(FOVEA_DECLARE_TIER)                                 \
  int32_t run_forward(const backend::Run& run, fovea_call& call) { \
    switch (run.plan.isa) { FOVEA_TIERS(FOVEA_FORWARD_CASE) }     \
    return FOVEA_UNSUPPORTED;                                     \
  }                                                               \
  int32_t run_backward(const backend::Run& run, fovea_call& call) { \
    switch (run.plan.isa) { FOVEA_TIERS(FOVEA_BACKWARD_CASE) }    \
    return FOVEA_UNSUPPORTED;                                     \
  }
