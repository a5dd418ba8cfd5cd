// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/embedding/lists.h"
#include "cpu/embedding/lookup.h"
#include "cpu/embedding/sums.h"

namespace fovea::embedding::cpu::FOVEA_TIER {

void run_forward(const Spec& spec, const ForwardOperands& operands, int64_t first, int64_t end) {
  with_type(spec.dtype, [&](auto table) {
    with_type(spec.out_dtype, [&](auto out) {
      look_up<decltype(table), decltype(out)>(spec, operands, first, end);
    });
  });
}

void run_backward(const Spec& spec, const BackwardOperands& operands, const Sums& sums, int32_t phase,
                  int64_t item) {
  if (phase == kListPhase) return list_range(spec, sums, item);
  with_type(spec.out_dtype, [&](auto dout) {
    sum_part(spec, static_cast<const decltype(dout)*>(operands.dout), sums, item);
  });
}

}  // namespace fovea::embedding::cpu::FOVEA_TIER
