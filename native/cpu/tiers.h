// The instruction set tiers of the CPU backend and the one function each of them provides.
#pragma once

#include "core/attention.h"

namespace fovea {

// One item, located in the batch.
struct AttentionWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t tile;  // of plan.tile_queries rows
};

using RunAttention = void(const fovea_attention_plan&, const fovea_attention_call&,
                          const AttentionOperands&, const AttentionWork&, void* scratch);

RunAttention attention_portable;
#if defined(__x86_64__)
RunAttention attention_avx2;
RunAttention attention_avx512;
#endif

}  // namespace fovea
