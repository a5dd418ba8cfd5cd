// The items of the backward pass, and its sums over whole heads.

#include "core/constants.h"
#include "cpu/distance/kernels.h"
#include "cpu/distance/passes.h"
#include "cpu/softmax/items.h"

namespace fovea::distance::cpu {
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
  // Of the fits of a sequence's rows.
  double sum_pulls(const BackwardWork& work, int64_t member) const {
    const FitRow row{int(spec_.head_dim)};
    const auto* const fits = reinterpret_cast<const double*>(workspace_ + workspace_layout_.fits);
    double sum = 0;
    for (int64_t i = 0; i < work.sequence.query_length; ++i) {
      sum += fits[(work.first_row + i * group_ + member) * row.doubles() + row.pull()];
    }
    return sum;
  }

  // dbandwidth of a head, from all sequences, chunks and rows in their order.
  int32_t sum_head(int64_t head) {
    double sum = 0;
    for (int64_t b = 0; b < spec_.batch && spec_.query_length > 0; ++b) {
      BackwardWork work;
      if (int32_t status = locate(b, head / group_, work)) return status;
      for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
        const float* const from = workspace_ + workspace_layout_.moments +
                                  chunk * workspace_layout_.rows + work.first_row + head % group_;
        for (int64_t i = 0; i < work.sequence.query_length; ++i) sum += double(from[i * group_]);
      }
      if (is_linear(spec_)) sum -= sum_pulls(work, head % group_) / kLn2;
    }
    // Scores are in units of log2.
    sum *= -2 * kLn2 / double(operands_.bandwidth[head]);
    float& to = operands_.dbandwidth[head];
    to = float(spec_.accumulate ? double(to) + sum : sum);
    return FOVEA_OK;
  }
};

}  // namespace

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return Backward(run, call).run();
}

}  // namespace fovea::distance::cpu
