// An item of a forward pass: rows of a sequence, and padding behind them.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/operation.h"
#include "cpu/softmax/rows.h"
#include "cpu/softmax/top_weights.h"
#include "cpu/softmax/work.h"

namespace fovea::cpu::FOVEA_TIER {

// Rows [begin, end) beyond the sequence's query length: no key is visible to padding.
template <typename Spec, typename Operands>
void write_padding(const Spec& spec, const Rows<Spec>& rows, const Operands& operands,
                   int64_t begin, int64_t end) {
  const int64_t element = element_bytes(spec.out_dtype);
  const auto clear = [&](void* tensor, const int64_t (&stride)[3], int64_t row) {
    std::memset(static_cast<char*>(tensor) + rows.query_offset(stride, row) * element, 0,
                size_t(spec.value_head_dim * element));
  };
  for (int64_t row = begin; row < end; ++row) {
    clear(operands.out, spec.out_stride, row);
    if constexpr (requires { spec.has_ungated; }) {
      if (spec.has_ungated) clear(operands.ungated, spec.ungated_stride, row);
    }
    if (spec.has_lse) operands.lse[rows.lse_offset(row)] = -kInfinity;
    if (spec.has_weights) {
      std::fill_n(operands.weights + rows.score_offset(spec.weights_stride, row), spec.key_length,
                  0.0f);
    }
    if (spec.has_top_weights) TopWeights(rows, operands, rows.query(row), rows.head(row)).clear();
  }
}

// `Item` is the rows of a sequence, and run(begin, end) its forward pass of some.
template <typename Item, typename Op>
void run_item(const ForwardRun<Op>& run, const ForwardWork& work) {
  const typename Op::Spec& spec = spec_of<Op>(run.plan);
  const int64_t group = spec.query_heads / spec.key_heads;
  const int64_t length = work.sequence.query_length * group;
  const int64_t begin = work.tile * run.plan.tile_queries;
  // Packed sequences have no padding rows; in the others padding is written, never left as it was.
  const int64_t all = (spec.packed ? work.sequence.query_length : spec.query_length) * group;
  const int64_t end = std::min(begin + run.plan.tile_queries, all);
  Item item(run, work);
  if (begin < std::min(end, length)) item.run(begin, std::min(end, length));
  if (run.call.phase + 1 == run.plan.phases && std::max(begin, length) < end) {
    write_padding(spec, item, run.operands, std::max(begin, length), end);
  }
}

}  // namespace fovea::cpu::FOVEA_TIER
