// The tokens of a key head in the order in which its state meets them. Causal, a token has the key and the
// query of a position, one of them missing where there are more of the other; not causal, all keys come
// first, then all queries.
#pragma once

#include "cuda/linear/params.h"
#include "cuda/softmax/rows.cuh"

namespace fovea::linear::cuda {

// Both lengths are below 2^31, so that 32 bits count all tokens.
struct Tokens {
  uint32_t count, first_key, first_query;
  uint32_t keys;

  FOVEA_DEVICE Tokens(bool causal, int32_t key_length, int32_t query_length)
      : keys(uint32_t(key_length)) {
    const uint32_t queries = uint32_t(query_length);
    count = !causal ? keys + queries : keys > queries ? keys : queries;
    first_key = causal ? count - keys : 0;
    first_query = count - queries;
  }

  FOVEA_DEVICE bool has_key(uint32_t token) const { return token - first_key < keys; }
  FOVEA_DEVICE bool has_query(uint32_t token) const { return token >= first_query; }
  FOVEA_DEVICE int32_t key_of(uint32_t token) const { return int32_t(token - first_key); }
  FOVEA_DEVICE int32_t query_of(uint32_t token) const { return int32_t(token - first_query); }
};

// Tokens that are in shared memory together, and so many query heads of each: all of its group, unless that
// alone is more than a chunk holds. The key of a token then goes with the first or the last of them.
struct Chunk {
  uint32_t from;
  int32_t count;
  int32_t head, heads;  // of the group
  bool first, last;     // heads of the group

  // Of a query and head, among those of the chunk.
  FOVEA_DEVICE int32_t row_of(int32_t t, int32_t h) const { return t * heads + h; }
};

// Calls body(chunk) for all of them, kRising: from the first token to the last.
template <bool kRising, int kTokens, typename Body>
FOVEA_DEVICE void for_each_chunk(const Tokens& tokens, int32_t group, Body body) {
  const uint32_t most = group < kTokens ? uint32_t(kTokens / group) : 1;
  const uint32_t chunks = (tokens.count + most - 1) / most;
  FOVEA_NO_UNROLL
  for (uint32_t i = 0; i < chunks; ++i) {
    Chunk chunk;
    chunk.from = (kRising ? i : chunks - 1 - i) * most;
    const uint32_t left = tokens.count - chunk.from;
    chunk.count = int32_t(left < most ? left : most);
    FOVEA_NO_UNROLL
    for (chunk.head = 0; chunk.head < group; chunk.head += kTokens) {
      const int32_t heads = group - chunk.head;
      chunk.heads = heads < kTokens ? heads : kTokens;
      chunk.first = chunk.head == 0;
      chunk.last = heads <= kTokens;
      body(chunk);
    }
  }
}

}  // namespace fovea::linear::cuda
