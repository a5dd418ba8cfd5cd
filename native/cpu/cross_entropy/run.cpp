// The items of both passes: the rows of each, and whether their targets are classes.

#include <algorithm>

#include "core/block.h"
#include "cpu/cross_entropy/kernels.h"
#include "cpu/cross_entropy/passes.h"

namespace fovea::cross_entropy::cpu {
namespace {

// Of rows [first, end).
int32_t check(const Spec& spec, const int32_t* targets, int64_t first, int64_t end, fovea_call& call) {
  while (first < end) {
    const int64_t batch = first / spec.length, row = first % spec.length;
    const int64_t count = std::min(end - first, spec.length - row);
    const int32_t* const at = targets + batch * spec.targets_stride[0] + row;
    // Seen all at once first: a loop that may end anywhere is no loop of vectors.
    int32_t most = -1;
    for (int64_t i = 0; i < count; ++i) most = std::max(most, at[i]);
    for (int64_t i = 0; most >= spec.classes && i < count; ++i) {
      if (at[i] < spec.classes) continue;
      return fail(call.error, FOVEA_INVALID_ARGUMENT,
                  "targets[%lld, %lld] is %d, expected 0 to %lld, or less for a row that is ignored",
                  (long long)batch, (long long)(row + i), at[i], (long long)spec.classes - 1);
    }
    first += count;
  }
  return FOVEA_OK;
}

template <typename Operands>
int32_t run_pass(const backend::Run& run, fovea_call& call,
                 void (*kernel)(const Spec&, const Operands&, float, int64_t, int64_t)) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const Operands*>(run.operands);
  auto* const weights = static_cast<float*>(run.workspace);
  const int64_t rows = rows_of(spec);
  if (call.phase == kRowPhase) {
    const int64_t of_item = run.plan.tile_queries;
    kernel(spec, operands, sums_weights(spec) ? *weights : float(spec.classes), call.begin * of_item,
           std::min(call.end * of_item, rows));
    return FOVEA_OK;
  }
  const int64_t first = call.begin * kCheckedRows, end = std::min(call.end * kCheckedRows, rows);
  if (int32_t status = check(spec, operands.targets, first, end, call)) return status;
  if (call.begin == 0 && sums_weights(spec)) {
    double sum = 0;
    for (int64_t c = 0; c < spec.classes; ++c) sum += double(operands.class_weight[c]);
    *weights = float(sum);
  }
  return FOVEA_OK;
}

}  // namespace

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  return run_pass(run, call, kernels_of(run.plan.isa).forward);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return run_pass(run, call, kernels_of(run.plan.isa).backward);
}

}  // namespace fovea::cross_entropy::cpu
