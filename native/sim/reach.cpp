#include "sim/reach.h"

namespace fovea::sim {

std::vector<Extent> reach(const backend::Run& run) {
  const auto* const addresses = static_cast<Addresses>(run.operands);
  std::vector<Extent> extents;
  size_t i = 0;
  for (const Operand& operand : run.operation.operands[run.plan.pass]) {
    const auto* const address = static_cast<const char*>(addresses[i++]);
    if (address == nullptr) continue;
    const Shape shape = shape_of(run.operation, run.plan.spec, operand);
    const Reach reach = reach_of(shape);
    if (reach.low == reach.high) continue;
    extents.push_back({address + int64_t(reach.low) * shape.element_bytes,
                       size_t(reach.high - reach.low) * size_t(shape.element_bytes),
                       operand.written, operand.name});
  }
  if (run.workspace != nullptr) {
    extents.push_back({static_cast<const char*>(run.workspace), size_t(run.plan.workspace_bytes), true,
                       "workspace"});
  }
  return extents;
}

}  // namespace fovea::sim
