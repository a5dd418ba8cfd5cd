// The items of both passes.

#include <algorithm>

#include "cpu/norm/kernels.h"
#include "cpu/norm/passes.h"

namespace fovea::norm::cpu {

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const int64_t all = spec.batch * spec.length, positions = run.plan.tile_queries;
  for (int64_t item = call.begin; item < call.end; ++item) {
    const Tile tile = {item * positions, std::min((item + 1) * positions, all)};
    kernels_of(run.plan.isa)
        .forward(spec, *static_cast<const ForwardOperands*>(run.operands), tile);
  }
  return FOVEA_OK;
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const Parts parts(spec);
  const BackwardRun all = {spec, *static_cast<const BackwardOperands*>(run.operands), parts,
                           static_cast<float*>(run.workspace)};
  for (int64_t item = call.begin; item < call.end; ++item) {
    kernels_of(run.plan.isa).backward(all, call.phase, item);
  }
  return FOVEA_OK;
}

}  // namespace fovea::norm::cpu
