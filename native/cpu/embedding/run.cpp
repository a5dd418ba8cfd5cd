// The items of both passes: which tokens or rows each has, and whether indices are rows.

#include "core/block.h"
#include "cpu/embedding/kernels.h"
#include "cpu/embedding/passes.h"

namespace fovea::embedding::cpu {
namespace {

int32_t refuse(const Indices& of, int64_t batch, int64_t row, fovea_call& call) {
  return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s[%lld, %lld] is %d, expected 0 to %lld",
              of.name, (long long)batch, (long long)row, of.at[batch * of.stride + row],
              (long long)of.rows - 1);
}

// Of tokens [first, end).
int32_t check(const Spec& spec, const Indices& of, int64_t first, int64_t end, fovea_call& call) {
  if (!of.given) return FOVEA_OK;
  while (first < end) {
    const int64_t batch = first / spec.length, row = first % spec.length;
    const int64_t count = std::min(end - first, spec.length - row);
    const int32_t* const at = of.at + batch * of.stride + row;
    // Seen all at once first: a loop that may end anywhere is no loop of vectors.
    uint32_t beyond = 0;
    for (int64_t i = 0; i < count; ++i) beyond |= uint32_t(at[i]) >= uint32_t(of.rows);
    for (int64_t i = 0; beyond != 0 && i < count; ++i) {
      if (uint32_t(at[i]) >= uint32_t(of.rows)) return refuse(of, batch, row + i, call);
    }
    first += count;
  }
  return FOVEA_OK;
}

int32_t check_item(const Spec& spec, const Inputs& inputs, int64_t item, fovea_call& call) {
  const int64_t first = item * kCheckedTokens;
  const int64_t end = std::min(first + kCheckedTokens, tokens_of(spec));
  if (int32_t status = check(spec, ids_of(spec, inputs), first, end, call)) return status;
  return check(spec, position_ids_of(spec, inputs), first, end, call);
}

}  // namespace

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  RunForward* const kernel = kernels_of(run.plan.isa).forward;
  const int64_t rows = run.plan.tile_queries;
  for (int64_t item = call.begin; item < call.end; ++item) {
    if (call.phase == kCheckPhase) {
      if (int32_t status = check_item(spec, operands, item, call)) return status;
    } else {
      kernel(spec, operands, item * rows, std::min((item + 1) * rows, tokens_of(spec)));
    }
  }
  return FOVEA_OK;
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const BackwardOperands*>(run.operands);
  const Layout layout(spec, operands, run.plan.tile_keys, run.workspace);
  RunBackward* const kernel = kernels_of(run.plan.isa).backward;
  const bool lists = call.phase == kListPhase;
  for (int64_t item = call.begin; item < call.end; ++item) {
    if (lists) {
      if (int32_t status = check_item(spec, operands, item, call)) return status;
    }
    const int64_t before = lists ? layout.table.ranges : layout.table.items();
    const Sums& sums = item < before ? layout.table : layout.positions;
    kernel(spec, operands, sums, call.phase, item < before ? item : item - before);
  }
  return FOVEA_OK;
}

}  // namespace fovea::embedding::cpu
