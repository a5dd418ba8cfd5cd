#include "cpu/attention/forward_layout.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/passes.h"
#include "cpu/softmax/items.h"
#include "ops/attention/check_pages.h"
#include "ops/attention/check_program.h"

namespace fovea::attention::cpu {

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  if (int32_t status = check_program(spec_of(run.plan), operands, call)) return status;
  const Spec& spec = spec_of(run.plan);
  const bool parts = call.phase + 1 < run.plan.phases;
  return fovea::cpu::run_row_tiles<Op>(
      run, call, kernels_of(run.plan.isa).forward, parts ? parts_of(spec.key_length) : 1,
      [&](const ForwardWork& work) {
        return check_pages(spec, operands.block_table, work.batch, work.sequence, call);
      });
}

}  // namespace fovea::attention::cpu
