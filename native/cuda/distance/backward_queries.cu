// dquery, and what each row adds to dbandwidth: a block for a tile of rows and a chunk of head_dim, over all
// the keys that they see.

#include "cuda/distance/gradients.cuh"

namespace fovea::distance::cuda {
namespace {

// A warp has eight rows, a thread four elements of the chunk of each.
constexpr int kRowsEach = BackwardTile::kRows / kWarps;

template <typename Scores>
class QueryGradients {
 public:
  FOVEA_DEVICE QueryGradients(Scores& scores, int32_t chunk)
      : scores_(scores), p_(scores.p), chunk_(chunk), element_(4 * lane()) {}

  FOVEA_DEVICE void add(int32_t first_key) {
    scores_.load_chunk(first_key, chunk_);
    tile::sync_block();
    if (first() >= scores_.rows.count) return;
    float q[kRowsEach][4];
    FOVEA_UNROLL
    for (int r = 0; r < kRowsEach; ++r) load_floats(scores_.query(first() + r, element_), q[r]);
    FOVEA_NO_UNROLL
    for (int32_t at = 0; at < kKeys; at += 4) {
      float key[4][4];
      FOVEA_UNROLL
      for (int k = 0; k < 4; ++k) load_floats(scores_.key(at + k, element_), key[k]);
      FOVEA_UNROLL
      for (int r = 0; r < kRowsEach; ++r) {
        float ds[4];
        load_floats(scores_.score(first() + r, at), ds);
        FOVEA_UNROLL
        for (int k = 0; k < 4; ++k) {
          FOVEA_UNROLL
          for (int e = 0; e < 4; ++e) {
            dquery_[r][e] = tile::fused_multiply_add(ds[k], key[k][e] - q[r][e], dquery_[r][e]);
          }
        }
      }
    }
  }

  // `seen`: the rows see some key.
  FOVEA_DEVICE void store(bool seen) const {
    const AttentionRows& rows = scores_.rows;
    const BackwardParams& b = scores_.b;
    const int32_t at = chunk_ * kChunk + element_;
    FOVEA_UNROLL
    for (int r = 0; r < kRowsEach; ++r) {
      const int32_t row = first() + r;
      if (!exists(p_, rows, uint32_t(row))) continue;
      float dquery[4] = {};
      if (seen && row < rows.count && !scores_.is_dead(row)) {
        const float inverse = scores_.inverse(row);
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) dquery[e] = dquery_[r][e] * inverse;
        if constexpr (Scores::kFits) add_slopes(row, dquery);
      }
      store_gradients(b.dquery, p_.spec.gradient_dtype,
                      rows.offset(p_.spec.dquery_stride, rows.position(row), rows.head(row)) + at,
                      p_.head_dim - at, false, dquery);
    }
  }

 private:
  static FOVEA_DEVICE int32_t first() { return warp() * kRowsEach; }

  FOVEA_DEVICE void add_slopes(int32_t row, float (&dquery)[4]) const {
    const FitRow of = scores_.fit_row();
    const double* const slope = scores_.fit(row) + of.slope() + element_;
    FOVEA_UNROLL
    for (int e = 0; e < 4; ++e) {
      if (element_ + e >= of.dim) continue;
      dquery[e] = within_float(double(dquery[e]) + tile::load_global(slope + e));
    }
  }

  Scores& scores_;
  const DistanceParams& p_;
  const int32_t chunk_, element_;
  float dquery_[kRowsEach][4] = {};  // times bandwidth^2
};

template <typename Scores>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void distance_backward_queries(const BackwardParams b) {
  const DistanceParams& p = b.forward;
  const AttentionItem at = locate_item(p);
  const int32_t chunk = int32_t(at.tile) % b.chunks;
  // Under a causal mask the last tiles are the longest: they begin.
  const int32_t row_tile = b.row_tiles - 1 - int32_t(at.tile) / b.chunks;
  AttentionRows rows = locate_pair(p, at.batch, at.key_head);
  set_rows(rows, uint32_t(row_tile), BackwardTile::kRows);
  const int32_t tiles = set_visible_tiles<kKeys>(rows, p);
  Scores scores(b, rows);
  QueryGradients<Scores> gradients(scores, chunk);
  float moments[BackwardTile::kRowsEach] = {};  // of the rows and keys of this thread's pairs
  if (tiles > 0) {
    scores.load_heads();
    scores.load_rows_of_workspace();
  }
  for (int32_t tile = 0; tile < tiles; ++tile) {
    const int32_t first_key = (rows.begin + tile) * kKeys;
    scores.template compute_gradients<false>(first_key, [&](int r, float score, float ds) {
      // Not -infinity times a gradient of 0.
      moments[r] += ds * tile::maximum(score, -3.40282347e38f);
    });
    scores.keeps_queries = p.head_dim <= BackwardTile::kPart;
    scores.keeps_dout = p.value_head_dim <= BackwardTile::kPart;
    gradients.add(first_key);
  }
  gradients.store(tiles > 0);
  if (b.moments == nullptr || chunk > 0) return;
  FOVEA_UNROLL
  for (int r = 0; r < BackwardTile::kRowsEach; ++r) {
    FOVEA_UNROLL
    for (uint32_t mask = BackwardTile::kKeyThreads / 2; mask > 0; mask /= 2) {
      moments[r] += tile::shuffle_xor(moments[r], mask);
    }
    const int32_t row = scores.row_of(r);
    if (scores.key_of(0) == 0 && row < rows.count) {
      if constexpr (Scores::kFits) {
        const double* const pull = scores.fit(row) + scores.fit_row().pull();
        // Scores are in units of log2.
        if (tiles > 0 && !scores.is_dead(row)) moments[r] -= float(tile::load_global(pull) / kLn2);
      }
      tile::store_global(b.moments + workspace_row(p, rows, row), moments[r]);
    }
  }
}

}  // namespace

BackwardKernel* backward_queries_kernel(bool fits) {
  return fits ? distance_backward_queries<BackwardFitScores>
              : distance_backward_queries<BackwardScores>;
}

}  // namespace fovea::distance::cuda
