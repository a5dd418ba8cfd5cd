// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/cross_entropy/backward.h"
#include "cpu/cross_entropy/forward.h"

namespace fovea::cross_entropy::cpu::FOVEA_TIER {

void run_forward(const Spec& spec, const ForwardOperands& operands, float weights, int64_t first,
                 int64_t end) {
  with_type(spec.dtype, [&](auto zero) {
    with_smoothing(spec, [&](auto smoothing) {
      Forward<decltype(zero), decltype(smoothing)>(spec, operands, weights).run(first, end);
    });
  });
}

void run_backward(const Spec& spec, const BackwardOperands& operands, float weights, int64_t first,
                  int64_t end) {
  with_type(spec.dtype, [&](auto x) {
    with_type(spec.gradient_dtype, [&](auto gradient) {
      using T = decltype(x);
      using G = decltype(gradient);
      if (sums_weights(spec)) return Backward<T, G, true>(spec, operands, weights).run(first, end);
      Backward<T, G, false>(spec, operands, weights).run(first, end);
    });
  });
}

}  // namespace fovea::cross_entropy::cpu::FOVEA_TIER
