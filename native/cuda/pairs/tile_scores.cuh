// What scores of a tile of query rows and keys have alike: where they and their factors lie in shared memory,
// and which of them a thread computes.
#pragma once

#include "cuda/pairs/load.cuh"
#include "cuda/softmax/rows.cuh"

namespace fovea::pairs::cuda {

// The workspace's row of a row of the block.
template <typename Params>
FOVEA_DEVICE int64_t workspace_row(const Params& p, const AttentionRows& rows, int32_t row) {
  const int64_t start =
      p.spec.packed ? int64_t{rows.query_start} : int64_t{rows.batch} * p.query_length;
  return (start + rows.position(row)) * p.query_heads + rows.head(row);
}

template <typename TileOfScores, typename ParamsOfScores>
class TileScores {
 public:
  using Tile = TileOfScores;
  using Params = ParamsOfScores;
  // Whether weights have factors, those of planes.
  static constexpr bool kFits = false;
  struct Planes {};

  const Params& p;
  AttentionRows rows;

  FOVEA_DEVICE TileScores(const Params& params, const AttentionRows& of)
      : p(params), rows(of), shared_(tile::shared_base()) {}

  // Rows or keys as factors stay in shared memory from one tile to the next: where all of head_dim is one
  // part, and they are the same.
  bool keeps_queries = false, keeps_keys = false;

  FOVEA_DEVICE uint32_t shared() const { return shared_; }
  FOVEA_DEVICE uint32_t query(int32_t row, int32_t a) const {
    return shared_ + Tile::kQueriesAt + 4 * (row * Tile::kPitch + a);
  }
  FOVEA_DEVICE uint32_t key(int32_t key, int32_t a) const {
    return shared_ + Tile::kKeysAt + 4 * (key * Tile::kPitch + a);
  }
  FOVEA_DEVICE uint32_t score(int32_t row, int32_t key) const {
    return shared_ + Tile::kScoresAt + 4 * (row * Tile::kScorePitch + key);
  }
  FOVEA_DEVICE uint32_t word(typename Tile::RowWord which, int32_t row) const {
    return shared_ + Tile::kRowWordsAt + 4 * (which * Tile::kRows + row);
  }
  // Which of the tile's heads a row is of.
  FOVEA_DEVICE int32_t slot(int32_t row) const {
    return row - int32_t(divide(row, p.heads) * p.heads.value);
  }
  // A thread's pairs.
  FOVEA_DEVICE int32_t row_of(int r) const {
    return int32_t(tile::thread_index() / Tile::kKeyThreads) + r * Tile::kRowThreads;
  }
  FOVEA_DEVICE int32_t key_of(int c) const {
    return int32_t(tile::thread_index() % Tile::kKeyThreads) + c * Tile::kKeyThreads;
  }

 private:
  const uint32_t shared_;
};

}  // namespace fovea::pairs::cuda
