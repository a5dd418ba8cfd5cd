// The instruction set tiers of the CPU backend and the functions each of them provides.
#pragma once

#include "core/attention.h"
#include "cpu/backward_layout.h"

namespace fovea {

// One item, located in the batch.
struct AttentionWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t tile;  // of plan.tile_queries rows
};

using RunAttention = void(const fovea_attention_plan&, const fovea_attention_call&,
                          const AttentionOperands&, const AttentionWork&, void* scratch);

// What all items of one call have in common.
struct BackwardRun {
  const fovea_attention_plan& plan;
  const fovea_attention_call& call;
  const BackwardOperands& operands;
  const BackwardScratch& scratch_layout;
  const BackwardWorkspace& workspace_layout;
  float* workspace;
  float* scratch;
};

// One item of any phase but the last, located in the batch.
struct BackwardWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t first_row;   // in the workspace
  int64_t begin, end;  // rows, perhaps beyond the sequence's; kKeyPhase takes all of them
  int64_t chunks;      // of this sequence
  int64_t keys;        // kKeyPhase: which chunk; kBiasPhase: which tile
};

using RunBackward = void(const BackwardRun&, const BackwardWork&);

RunAttention attention_portable;
RunBackward backward_portable;
#if defined(__x86_64__)
RunAttention attention_avx2;
RunBackward backward_avx2;
RunAttention attention_avx512;
RunBackward backward_avx512;
#endif

}  // namespace fovea
