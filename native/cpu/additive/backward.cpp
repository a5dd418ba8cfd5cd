// The items of the backward pass, and its sums over whole heads.

#include "cpu/additive/kernels.h"
#include "cpu/additive/passes.h"
#include "cpu/softmax/items.h"

namespace fovea::additive::cpu {
namespace {

class Backward : fovea::cpu::BackwardItems<Op> {
 public:
  Backward(const backend::Run& run, fovea_call& call)
      : BackwardItems(run, call, kernels_of(run.plan.isa).backward) {}

  int32_t run() {
    return for_each_item([this](int64_t item) {
      return call_.phase == kHeadPhase ? sum_head(item) : run_rows_or_keys(item);
    });
  }

 private:
  // dweight and dbias of a head, from all sequences and chunks in their order.
  int32_t sum_head(int64_t head) {
    if (spec_.has_dweight) {
      float* const to = operands_.dweight + head * spec_.dweight_stride[0];
      if (int32_t status = sum(head, 0, to)) return status;
    }
    if (!spec_.has_dbias) return FOVEA_OK;
    return sum(head, workspace_layout_.sum_row, operands_.dbias + head * spec_.dbias_stride[0]);
  }

  int32_t sum(int64_t head, int64_t offset, float* to) {
    // A few of head_dim at a time, so that the rows that are read lie in a line.
    constexpr int64_t kPart = 64;
    for (int64_t a = 0; a < spec_.head_dim; a += kPart) {
      const int64_t count = std::min(kPart, spec_.head_dim - a);
      double total[kPart] = {};
      for (int64_t b = 0; b < spec_.batch && spec_.query_length > 0; ++b) {
        BackwardWork work;
        if (int32_t status = locate(b, head / group_, work)) return status;
        for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
          const double* const from = reinterpret_cast<const double*>(workspace_) +
                                     workspace_layout_.sums_of(spec_, b, chunk, head) + offset + a;
          for (int64_t i = 0; i < count; ++i) total[i] += from[i];
        }
      }
      for (int64_t i = 0; i < count; ++i) {
        to[a + i] = float(spec_.accumulate ? double(to[a + i]) + total[i] : total[i]);
      }
    }
    return FOVEA_OK;
  }
};

}  // namespace

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return Backward(run, call).run();
}

}  // namespace fovea::additive::cpu
