#include "cpu/linear/items.h"
#include "cpu/linear/passes.h"

namespace fovea::linear::cpu {

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  const Spec& spec = spec_of(run.plan);
  const ForwardRun forward = {run.plan, operands, static_cast<float*>(run.scratch)};
  RunForward* const kernel = kernels_of(run.plan.isa).forward;
  return for_each_item(run.plan, {spec, operands}, spec.value_head_dim, call,
                       [&](const Work& work) { kernel(forward, work); });
}

}  // namespace fovea::linear::cpu
