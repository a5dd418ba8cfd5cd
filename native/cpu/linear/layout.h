// How linear attention on a CPU cuts its work and its memory: what the planner reserves, and the kernels
// use. Offsets and sizes in floats, each part on a 64-byte boundary.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/linear/workspace.h"

namespace fovea::linear::cpu {

// Columns of a state are dealt out to items by as many, a vector of the widest tier.
constexpr int64_t kBlock = 16;

inline int64_t blocks_of(int64_t columns) { return (columns + kBlock - 1) / kBlock; }
inline int64_t whole(int64_t columns) { return blocks_of(columns) * kBlock; }

// Tokens that are loaded together: so many that their rows stay in L1 and L2 beside the state.
inline int chunk_tokens(const Spec& spec) {
  constexpr int64_t kMostRows = 64;
  return int(std::max<int64_t>(1, kMostRows / (spec.query_heads / spec.key_heads)));
}

enum BackwardPhase {
  kStartPhase,  // sums of weights where out is normalised; errors of the state with the delta rule
  kValuePhase,  // dvalue and dinitial_state
  kQueryPhase,  // dquery
  kKeyPhase,    // dkey, dkey_decay and dinitial_sum
  kSumPhase,    // ddecay and dbeta
  kPhases,
};

// Of the widest state of a pass.
inline int64_t state_columns(const fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const int64_t columns = plan.pass == FOVEA_FORWARD ? 0 : spec.head_dim;
  return whole(std::max(columns, spec.value_head_dim));
}

// Of one worker: a state, and rows of a chunk of tokens.
struct Scratch {
  int64_t key_row, value_row;  // of rows of keys, and of values with one more element
  int64_t state;               // D or Dv + 1 rows of columns
  int64_t carried;             // a row that goes from token to token as the state does
  int64_t keys, queries;       // rows of keys, for each token and for each of its queries
  int64_t values, errors;      // rows of values, for each token
  int64_t douts;               // likewise for each of its queries, and one more
  int64_t outs;                // likewise, wide enough for either
  int64_t decays, decayed;     // of each token, and of the one behind the chunk; keys times these
  int64_t betas, inverses;     // a number for each token; for each of its queries
  int64_t spare;               // a row
  int64_t total = 0;

  // Inline, so that no two tiers share its code.
  [[gnu::always_inline]] Scratch(const Spec& spec, int64_t columns) {
    const int64_t tokens = chunk_tokens(spec), group = spec.query_heads / spec.key_heads;
    key_row = whole(spec.head_dim);
    value_row = whole(spec.value_head_dim + 1);
    const int64_t widest = std::max(key_row, value_row);
    state = reserve(widest * columns);
    carried = reserve(widest);
    keys = reserve(tokens * key_row);
    queries = reserve(tokens * group * key_row);
    values = reserve(tokens * value_row);
    errors = reserve(tokens * value_row);
    douts = reserve(tokens * (group + 1) * value_row);
    outs = reserve(tokens * (group + 1) * widest);
    decays = reserve((tokens + 1) * key_row);
    decayed = reserve(tokens * key_row);
    betas = reserve(tokens);
    inverses = reserve(tokens * group);
    spare = reserve(widest);
  }

 private:
  int64_t reserve(int64_t count) {
    const int64_t at = total;
    total += whole(count);
    return at;
  }
};

inline Workspace workspace_of(const Spec& spec) {
  return {spec, blocks_of(spec.head_dim), blocks_of(spec.value_head_dim)};
}

}  // namespace fovea::linear::cpu
