// Activation as every backend sees it.
#pragma once

#include "ops/activation/operation.h"

namespace fovea::activation {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// What kernels and plans are called by.
inline const char* name_of(int32_t function) {
  constexpr const char* kNames[] = {"identity", "relu",    "gelu", "gelu_tanh",
                                    "silu",     "sigmoid", "tanh"};
  return kNames[function];
}

// What a pass reads of its operands, and computes.
struct Needs {
  bool slope;  // f', of a backward pass
  bool value;  // f
  bool x, bias, gate, residual;
  bool copies;  // dout, of a backward pass
  bool draws;   // from dropout

  explicit Needs(const Spec& spec);

  bool any() const { return slope || value || copies; }
};

// The rows that kernels walk. Those that lie end to end in all that a pass reads and writes, and know nothing of
// their columns, are merged into one: short ones would cost more than their elements.
struct Grid {
  int64_t batch, length, width;
  bool merged;

  int64_t rows() const { return batch * length; }
};

Grid grid_of(const Spec& spec);

}  // namespace fovea::activation
