// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.
#pragma once

#include "core/attention.h"
#include "cpu/attention_item.h"
#include "cpu/backward_item.h"
#include "cpu/tiers.h"

namespace fovea::FOVEA_TIER {

static_assert(kLanes == kCpuTiers[kIsa].lanes && kGroup == kCpuTiers[kIsa].group,
              "the planner reserves scratch for another width");

template <typename T>
void run_item(const fovea_attention_plan& plan, const fovea_attention_call& call,
              const AttentionOperands& operands, const AttentionWork& work, void* scratch) {
  const fovea_attention_spec& spec = plan.spec;
  const int64_t group = spec.query_heads / spec.key_heads;
  const int64_t length = work.sequence.query_length * group;
  const int64_t begin = work.tile * plan.tile_queries;
  // Packed sequences have no padding rows; in the others padding is written, never left as it was.
  const int64_t all = (spec.packed ? work.sequence.query_length : spec.query_length) * group;
  const int64_t end = std::min(begin + plan.tile_queries, all);
  AttentionItem<T> item(plan, call, operands, work.sequence, work.batch, work.key_head, scratch);
  if (begin < std::min(end, length)) item.run(begin, std::min(end, length));
  if (std::max(begin, length) < end) item.pad(std::max(begin, length), end);
}

inline void run_attention(const fovea_attention_plan& plan, const fovea_attention_call& call,
                          const AttentionOperands& operands, const AttentionWork& work,
                          void* scratch) {
  with_type(plan.spec.dtype,
            [&](auto zero) { run_item<decltype(zero)>(plan, call, operands, work, scratch); });
}

}  // namespace fovea::FOVEA_TIER
