// What the backward pass knows of each query row before: delta = <dout, out> (Dao, FlashAttention-2,
// arXiv 2307.08691, algorithm 2), and the logarithm of its sum; and the sums of dweight and dbias.

#include "cuda/additive/backward_tile.cuh"
#include "cuda/additive/row_softmax.cuh"

namespace fovea::additive::cuda {
namespace {

FOVEA_DEVICE bool is_large(float base) {
  return __builtin_fabsf(base) >= kLargeLse && __builtin_fabsf(base) < tile::kInfinity;
}

// lse in units of log2; a row that sees no key gets infinity, so that its weights are zero.
FOVEA_DEVICE float base_of(float lse) {
  if (__builtin_fabsf(lse) == tile::kInfinity) return tile::kInfinity;
  const double binary = double(lse) / kLn2, most = 3.40282346638528859812e38;
  return float(binary > most ? most : binary < -most ? -most : binary);
}

// A warp for each row. Whether any of them has a large lse.
FOVEA_DEVICE bool store_statistics(const BackwardParams& b, const AttentionRows& rows) {
  const AdditiveParams& p = b.forward;
  bool any_large = false;
  FOVEA_NO_UNROLL
  for (int32_t row = warp(); row < rows.count; row += kWarps) {
    const int32_t position = rows.position(row), head = rows.head(row);
    const float lse = tile::load_global(p.lse + rows.lse_offset(p, position, head));
    const float base = base_of(lse);
    float delta = 0;
    tile::with_type(p.spec.out_dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const out =
          static_cast<const Element*>(p.out) + rows.offset(p.spec.out_stride, position, head);
      const Element* const dout =
          static_cast<const Element*>(b.dout) + rows.offset(p.spec.dout_stride, position, head);
      FOVEA_NO_UNROLL
      for (int32_t d = lane(); d < p.value_head_dim; d += tile::kWarp) {
        delta = tile::fused_multiply_add(tile::widen(tile::load_global(dout + d)),
                                         tile::widen(tile::load_global(out + d)), delta);
      }
    });
    delta = tile::warp_sum(delta);
    any_large = any_large || is_large(base);
    if (lane() != 0) continue;
    const int64_t at = workspace_row(p, rows, row);
    tile::store_global(b.base + at, base);
    tile::store_global(b.rest + at, 0.0f);
    tile::store_global(b.delta + at, lse == -tile::kInfinity ? 0.0f : delta);
  }
  return any_large;
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void additive_backward_rows(const BackwardParams b) {
  const AdditiveParams& p = b.forward;
  AttentionRows rows = locate_rows<BackwardTile::kRows>(p);
  const int32_t tiles = set_visible_tiles<kKeys>(rows, p);
  if (rows.count <= 0) return;
  const bool large = store_statistics(b, rows);
  // Float32 has lost what such an lse differs from another by: the row's largest score and sum once more,
  // unless the lse is not that of these keys alone.
  const uint32_t shared = tile::shared_base();
  if (lane() == 0) tile::store_shared(shared + 4 * warp(), uint32_t{large});
  tile::sync_block();
  bool any_large = false;
  FOVEA_UNROLL
  for (int i = 0; i < kWarps; ++i) any_large |= tile::load_shared(shared + 4 * i) != 0;
  if (!any_large) return;

  Scores<BackwardTile> scores(p, rows, BackwardTile::kWeightsAt);
  RowSoftmax<BackwardTile> softmax(scores);
  scores.load_heads();
  for (int32_t tile = 0; tile < tiles; ++tile) {
    const int32_t first_key = (rows.begin + tile) * kKeys;
    scores.compute(first_key);
    scores.keeps_queries = p.head_dim <= BackwardTile::kPart;
    float x[2 * RowSoftmax<BackwardTile>::kPairs];
    softmax.step(first_key, x);
  }
  softmax.finish();
  if (softmax.column(0) != 0 || softmax.row >= rows.count) return;
  const int64_t at = workspace_row(p, rows, softmax.row);
  const float given =
      base_of(tile::load_global(p.lse + rows.lse_offset(p, rows.position(softmax.row),
                                                        rows.head(softmax.row))));
  if (!is_large(given)) return;
  const float rest = tile::log2_approx(softmax.sum);
  // Two conversions and a rounding lie between them.
  const float off = __builtin_fabsf((softmax.reference - given) + rest);
  if (!(off <= 0x1p-21f * __builtin_fabsf(given))) return;
  tile::store_global(b.base + at, softmax.reference);
  tile::store_global(b.rest + at, rest);
}

// dweight and dbias: a block for kChunk elements of a head, over all sequences and tiles in their order.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 1)
void additive_backward_sums(const BackwardParams b) {
  const AdditiveParams& p = b.forward;
  const uint32_t item = uint32_t(p.first_item) + tile::block_index();
  const uint32_t chunks = uint32_t(p.head_dim + kChunk - 1) / kChunk;
  const int32_t head = int32_t(item / chunks), a = int32_t(item % chunks * kChunk) +
                                                   int32_t(tile::thread_index());
  if (a >= p.head_dim) return;
  const uint32_t key_head = divide(uint32_t(head), p.group);
  const int32_t batches = int32_t(p.pairs / p.key_heads), group = int32_t(p.group.value);
  double dbias = 0, dweight = 0;
  for (int32_t batch = 0; batch < batches; ++batch) {
    AttentionRows rows = locate_pair(p, uint32_t(batch), key_head);
    for (int32_t tile = 0; tile < b.row_tiles; ++tile) {
      set_rows(rows, uint32_t(tile), BackwardTile::kRows);
      if (rows.count <= 0) break;
      // Where the head's first row is among those of the tile.
      const int32_t behind = head - rows.first_head - rows.head0;
      const int32_t slot = behind < 0 ? behind + group : behind;
      if (slot >= int32_t(p.heads.value)) continue;
      const float* const from = sums_of(b, uint32_t(batch), key_head, tile, slot) + a;
      dbias += double(tile::load_global(from));
      dweight += double(tile::load_global(from + p.head_dim));
    }
  }
  const auto store = [&](float* to, double sum) {
    if (p.spec.accumulate) sum += double(tile::load_global(to));
    tile::store_global(to, float(sum));
  };
  if (b.dbias != nullptr) store(b.dbias + head * p.spec.dbias_stride[0] + a, dbias);
  if (b.dweight != nullptr) store(b.dweight + head * p.spec.dweight_stride[0] + a, dweight);
}

}  // namespace

BackwardKernel* backward_rows_kernel() { return additive_backward_rows; }
BackwardKernel* backward_sums_kernel() { return additive_backward_sums; }

}  // namespace fovea::additive::cuda
