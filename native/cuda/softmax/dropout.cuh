// Which keys of a row dropout keeps.
#pragma once

#include "core/philox.h"
#include "cuda/softmax/rows.cuh"

namespace fovea::cuda {

// The draws of keys first_key + 8 word + 2 pair + half of a row, for a first_key that is a multiple of 32: one
// call of the generator for each pair.
struct Draws {
  uint32_t words[4][1];

  template <typename Params>
  FOVEA_DEVICE Draws(const Params& p, const AttentionRows& rows, uint32_t row, int32_t first_key,
                     uint32_t pair)
      : words{{uint32_t(first_key) / 32 * 4 + pair},
              {uint32_t(rows.position(row))},
              {uint32_t(rows.batch) * uint32_t(p.query_heads) + uint32_t(rows.head(row))},
              {p.dropout_offset}} {
    philox4x32_10(words, p.dropout_seed);
  }

  FOVEA_DEVICE uint32_t draw(int word, uint32_t half) const {
    return half == 0 ? words[word][0] & 0xffff : words[word][0] >> 16;
  }
};

}  // namespace fovea::cuda
