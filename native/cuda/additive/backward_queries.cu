// dquery, and what a tile of rows adds to dweight and dbias: a block for a tile of rows and a chunk of
// head_dim, over all the keys that they see.

#include "cuda/additive/gradients.cuh"

namespace fovea::additive::cuda {
namespace {

// A warp has eight rows, a thread four elements of the chunk of each.
constexpr int kRowsEach = BackwardTile::kRows / kWarps;

class QueryGradients {
 public:
  FOVEA_DEVICE QueryGradients(BackwardScores& scores, int32_t chunk)
      : scores_(scores), p_(scores.p), chunk_(chunk), element_(4 * lane()) {}

  FOVEA_DEVICE void add(int32_t first_key) {
    scores_.load_chunk(first_key, chunk_);
    tile::sync_block();
    if (scores_.has_apart()) {
      add_apart(first_key);
      tile::sync_block();
      scores_.each_apart(first_key, [&](int32_t row, int32_t at) {
        store_float(scores_.score(row, at), 0.0f);
      });
      tile::sync_block();
    }
    if (first() >= scores_.rows.count) return;
    float q[kRowsEach][4];
    FOVEA_UNROLL
    for (int r = 0; r < kRowsEach; ++r) load_floats(scores_.query(first() + r, element_), q[r]);
    FOVEA_NO_UNROLL
    for (int32_t at = 0; at < kKeys; ++at) {
      float key[4];
      load_floats(scores_.key(at, element_), key);
      FOVEA_UNROLL
      for (int r = 0; r < kRowsEach; ++r) {
        const float ds = load_float(scores_.score(first() + r, at));
        all_[r] += ds;
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          const Slope slope(q[r][e], key[e]);
          const float part = slope.r * ds;
          dquery_[r][e] = tile::fused_multiply_add(slope.power_r, part, dquery_[r][e]);
          parts_[r][e] += part;
        }
      }
    }
  }

  // `seen`: the rows see some key. Ends with sums in the workspace, where they are kept.
  FOVEA_DEVICE void store(int32_t tile, bool seen) {
    const AttentionRows& rows = scores_.rows;
    const BackwardParams& b = scores_.b;
    const int32_t at = chunk_ * kChunk + element_;
    float dquery[kRowsEach][4] = {}, dweight[kRowsEach][4] = {};
    FOVEA_UNROLL
    for (int r = 0; r < kRowsEach; ++r) {
      const int32_t row = first() + r;
      if (!seen || row >= rows.count || scores_.is_dead(row)) continue;
      float w[4];
      load_floats(scores_.weight(row, element_), w);
      const float factor = 4 * scores_.up(row);
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        dquery[r][e] = w[e] * factor * dquery_[r][e];
        dweight[r][e] = tile::fused_multiply_add(-2.0f, parts_[r][e], all_[r]);
      }
    }
    FOVEA_UNROLL
    for (int r = 0; r < kRowsEach; ++r) {
      const int32_t row = first() + r;
      if (!exists(p_, rows, uint32_t(row))) continue;
      store_gradients(b.dquery, p_.spec.gradient_dtype,
                      rows.offset(p_.spec.dquery_stride, rows.position(row), rows.head(row)) + at,
                      p_.head_dim - at, false, dquery[r]);
    }
    if (b.sums == nullptr || rows.count <= 0) return;
    store_sums(dquery, tile, 0);
    store_sums(dweight, tile, p_.head_dim);
  }

 private:
  static FOVEA_DEVICE int32_t first() { return warp() * kRowsEach; }

  // The sums of x over the rows of each head, by way of shared memory.
  FOVEA_DEVICE void store_sums(const float (&x)[kRowsEach][4], int32_t tile, int32_t offset) const {
    const AttentionRows& rows = scores_.rows;
    tile::sync_block();
    FOVEA_UNROLL
    for (int r = 0; r < kRowsEach; ++r) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) store_float(scores_.query(first() + r, element_ + e), x[r][e]);
    }
    tile::sync_block();
    const int32_t mine = int32_t(tile::thread_index()), a = chunk_ * kChunk + mine;
    static_assert(kThreads == kChunk);
    if (a >= p_.head_dim) return;
    const int32_t heads = int32_t(p_.heads.value);
    for (int32_t slot = 0; slot < heads; ++slot) {
      float sum = 0;
      for (int32_t row = slot; row < rows.count; row += heads) {
        sum += load_float(scores_.query(row, mine));
      }
      tile::store_global(sums_of(scores_.b, uint32_t(rows.batch), uint32_t(rows.key_head), tile,
                                 slot) + offset + a,
                         sum);
    }
  }

  // Pairs that are no products of factors.
  FOVEA_DEVICE void add_apart(int32_t first_key) {
    FOVEA_NO_UNROLL
    for (int32_t row = first(); row < first() + kRowsEach; ++row) {
      if (row >= scores_.rows.count || scores_.is_dead(row)) continue;
      FOVEA_NO_UNROLL
      for (int32_t at = 0; at < kKeys; ++at) {
        const int32_t key = first_key + at;
        if (key >= scores_.rows.key_length || !scores_.is_apart(row, at)) continue;
        const float ds = load_float(scores_.score(row, at));
        if (ds == 0) continue;  // as are those of keys that the row does not see
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int32_t a = chunk_ * kChunk + element_ + e;
          if (a >= p_.head_dim) continue;
          const float t = scores_.tanh_of(row, key, a);
          FOVEA_UNROLL
          for (int r = 0; r < kRowsEach; ++r) {
            if (first() + r != row) continue;
            dquery_[r][e] += ds * (1 - t * t) / 4;
            parts_[r][e] -= ds * t / 2;
          }
        }
      }
    }
  }

  BackwardScores& scores_;
  const AdditiveParams& p_;
  const int32_t chunk_, element_;
  // Over keys: of ds (1 - t^2) / 4, of ds (1 - t) / 2, and of ds, without those of pairs apart, whose
  // -ds t / 2 is then all of the second.
  float dquery_[kRowsEach][4] = {}, parts_[kRowsEach][4] = {}, all_[kRowsEach] = {};
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void additive_backward_queries(const BackwardParams b) {
  const AdditiveParams& p = b.forward;
  const AttentionItem at = locate_item(p);
  const int32_t chunk = int32_t(at.tile) % b.chunks;
  // Under a causal mask the last tiles are the longest: they begin.
  const int32_t row_tile = b.row_tiles - 1 - int32_t(at.tile) / b.chunks;
  AttentionRows rows = locate_pair(p, at.batch, at.key_head);
  set_rows(rows, uint32_t(row_tile), BackwardTile::kRows);
  const int32_t tiles = set_visible_tiles<kKeys>(rows, p);
  BackwardScores scores(b, rows);
  QueryGradients gradients(scores, chunk);
  if (tiles > 0) {
    scores.load_heads();
    scores.load_rows_of_workspace();
  }
  for (int32_t tile = 0; tile < tiles; ++tile) {
    const int32_t first_key = (rows.begin + tile) * kKeys;
    scores.compute_gradients<false>(first_key);
    scores.keeps_queries = p.head_dim <= BackwardTile::kPart;
    scores.keeps_dout = p.value_head_dim <= BackwardTile::kPart;
    gradients.add(first_key);
  }
  gradients.store(row_tile, tiles > 0);
}

}  // namespace

BackwardKernel* backward_queries_kernel() { return additive_backward_queries; }

}  // namespace fovea::additive::cuda
