// The product behind mma, on the fragments of the 32 lanes.
#pragma once

#include <cstdint>

#include "sim/clocks.h"
#include "sim/sim.h"

namespace fovea::sim {

struct Fragments {
  const uint32_t* a[kWarp];
  const uint32_t* b[kWarp];
  float* c[kWarp];
};

// As fovea::sim::mma, for all lanes.
void multiply(Product product, const Fragments& fragments, uint32_t stride, uint32_t m, uint32_t n,
              const TensorCore& core);

}  // namespace fovea::sim
