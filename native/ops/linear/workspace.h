// What the workers of a backward pass share, on every backend.
#pragma once

#include "core/block.h"
#include "ops/linear/linear.h"

namespace fovea::linear {

// Offsets in floats, each part on a 64-byte boundary. Rows of queries and keys are counted through the batch,
// heads of a row lie side by side.
struct Workspace {
  int64_t inverses, shares;  // of each query and head: 1 / sum of weights, <dout, out> / sum
  int64_t errors;            // of each key, [Dv]: value less what the state held for its key
  int64_t steps;             // likewise, the gradient of the value: what the state's gradient loses
  int64_t corrections;       // likewise, [D]: what of dkey comes from those
  int64_t slopes;            // likewise, [D]: sums of phi(query) dphi(query) over the query heads
  int64_t decay_parts;       // likewise, sums of blocks of the columns of D
  int64_t beta_parts;        // likewise, of Dv
  __int128 total = 0;

  Workspace(const Spec& spec, int64_t decay_blocks, int64_t beta_blocks) {
    const __int128 queries =
        __int128{spec.packed ? spec.query_total : spec.batch * spec.query_length} *
        spec.query_heads;
    const __int128 keys =
        __int128{spec.packed ? spec.key_total : spec.batch * spec.key_length} * spec.key_heads;
    const bool delta = has_delta(spec), slope = spec.has_ddecay || spec.has_dkey_decay;
    inverses = reserve(spec.normalised ? queries : 0);
    shares = reserve(spec.normalised ? queries : 0);
    errors = reserve(delta ? keys * spec.value_head_dim : 0);
    steps = reserve(delta ? keys * spec.value_head_dim : 0);
    corrections = reserve(delta ? keys * spec.head_dim : 0);
    slopes = reserve(slope ? keys * spec.head_dim : 0);
    decay_parts = reserve(spec.has_ddecay ? keys * decay_blocks : 0);
    beta_parts = reserve(spec.has_dbeta ? keys * beta_blocks : 0);
  }

 private:
  int64_t reserve(__int128 count) {
    const int64_t at = int64_t(total);
    total += (count + 15) / 16 * 16;
    return at;
  }
};

// Refuses one whose bytes could not be counted.
inline int32_t set_workspace(const Workspace& workspace, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (workspace.total > (__int128{1} << 60)) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "the gradients of %lld sequences of %lld keys and %lld heads need more than 2^62 "
                "bytes of workspace",
                (long long)spec.batch, (long long)spec.key_length, (long long)spec.key_heads);
  }
  plan.workspace_bytes = int64_t(workspace.total) * int64_t{sizeof(float)};
  return FOVEA_OK;
}

// Which dimensions of a gradient of [B~, Sk~, Hk] are one element for all, and so a sum.
struct Sharing {
  bool rows, sequences;
};
inline Sharing sharing_of(const Spec& spec, const int64_t (&stride)[3]) {
  const bool rows = stride[1] == 0;
  return {rows, spec.packed ? rows : stride[0] == 0};
}

}  // namespace fovea::linear
