// The items of the backward pass, and its sums over parts of a state.

#include "cpu/linear/items.h"
#include "cpu/linear/passes.h"

namespace fovea::linear::cpu {
namespace {

// A gradient that was summed in blocks of columns.
struct Parts {
  const float* from;
  int64_t blocks;
  float* to;
  const int64_t (&stride)[3];
  Sharing shared;
};

class Backward {
 public:
  Backward(const backend::Run& run, fovea_call& call)
      : plan_(run.plan),
        spec_(spec_of(run.plan)),
        operands_(*static_cast<const BackwardOperands*>(run.operands)),
        call_(call),
        sequences_(spec_, operands_),
        layout_(workspace_of(spec_)),
        workspace_(static_cast<float*>(run.workspace)),
        run_{plan_, operands_, layout_, workspace_, static_cast<float*>(run.scratch)} {}

  int32_t run() {
    if (call_.phase == kSumPhase) return sum();
    const bool keys = call_.phase == kQueryPhase || call_.phase == kKeyPhase;
    RunBackward* const kernel = kernels_of(plan_.isa).backward;
    return for_each_item(plan_, sequences_, keys ? spec_.head_dim : spec_.value_head_dim, call_,
                         [&](const Work& work) { kernel(run_, call_.phase, work); });
  }

 private:
  int32_t sum() {
    for (int64_t head = call_.begin; head < call_.end; ++head) {
      if (spec_.has_ddecay) {
        const Parts parts = {workspace_ + layout_.decay_parts, blocks_of(spec_.head_dim),
                             operands_.ddecay, spec_.ddecay_stride,
                             sharing_of(spec_, spec_.ddecay_stride)};
        if (int32_t status = sum(parts, head)) return status;
      }
      if (spec_.has_dbeta) {
        const Parts parts = {workspace_ + layout_.beta_parts, blocks_of(spec_.value_head_dim),
                             operands_.dbeta, spec_.dbeta_stride, {}};
        if (int32_t status = sum(parts, head)) return status;
      }
    }
    return FOVEA_OK;
  }

  // What is shared is written even if there is nothing to sum.
  int32_t sum(const Parts& parts, int64_t head) {
    const auto [one_row, one_sequence] = parts.shared;
    const int64_t results = one_sequence ? 1 : spec_.batch;
    for (int64_t result = 0; result < results; ++result) {
      const int64_t last = one_sequence ? spec_.batch : result + 1;
      fovea::cpu::Sequence first = {};
      first.key_rows = spec_.key_length;
      if (spec_.packed && !one_row) {
        if (int32_t status = sequences_.locate(result, first, call_)) return status;
      }
      const int64_t rows = one_row ? 1 : first.key_rows;
      for (int64_t row = 0; row < rows; ++row) {
        double total = 0;
        for (int64_t b = result; b < last; ++b) {
          fovea::cpu::Sequence sequence;
          if (int32_t status = sequences_.locate(b, sequence, call_)) return status;
          const int64_t end = one_row ? sequence.key_length : std::min(row + 1, sequence.key_length);
          const int64_t start = spec_.packed ? sequence.key_start : b * spec_.key_length;
          for (int64_t j = row; j < end; ++j) {
            const float* const from =
                parts.from + ((start + j) * spec_.key_heads + head) * parts.blocks;
            for (int64_t i = 0; i < parts.blocks; ++i) total += double(from[i]);
          }
        }
        float* const to = parts.to + (spec_.packed ? 0 : result * parts.stride[0]) +
                          (first.key_start + row) * parts.stride[1] + head * parts.stride[2];
        *to = float(spec_.accumulate ? double(*to) + total : total);
      }
    }
    return FOVEA_OK;
  }

  const fovea_plan& plan_;
  const Spec& spec_;
  const BackwardOperands& operands_;
  fovea_call& call_;
  const fovea::cpu::Sequences sequences_;
  const Workspace layout_;
  float* const workspace_;
  const BackwardRun run_;
};

}  // namespace

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return Backward(run, call).run();
}

}  // namespace fovea::linear::cpu
