// What the backward pass knows of each query row before; and the sums of dweight and dbias.

#include "cuda/pairs/backward_rows.cuh"

#include "cuda/additive/gradients.cuh"

namespace fovea::additive::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void additive_backward_rows(const BackwardParams b) { run_rows<Scores<BackwardTile>>(b); }

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
