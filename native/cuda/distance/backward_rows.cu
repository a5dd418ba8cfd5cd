// What the backward pass knows of each query row before; and the sums of dbandwidth.

#include "cuda/pairs/backward_rows.cuh"

#include "cuda/distance/gradients.cuh"

namespace fovea::distance::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void distance_backward_rows(const BackwardParams b) { run_rows<Scores<BackwardTile>>(b); }

// dbandwidth: a block for a head, over the rows of all sequences.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 1)
void distance_backward_sums(const BackwardParams b) {
  const DistanceParams& p = b.forward;
  const int32_t head = int32_t(p.first_item) + int32_t(tile::block_index());
  const uint32_t key_head = divide(uint32_t(head), p.group);
  const int32_t batches = int32_t(p.pairs / p.key_heads);
  double sum = 0;
  for (int32_t batch = 0; batch < batches; ++batch) {
    const AttentionRows rows = locate_pair(p, uint32_t(batch), key_head);
    const int64_t start =
        p.spec.packed ? int64_t{rows.query_start} : int64_t{batch} * p.query_length;
    FOVEA_NO_UNROLL
    for (int32_t i = int32_t(tile::thread_index()); i < rows.query_length; i += kThreads) {
      sum += double(tile::load_global(b.moments + (start + i) * p.query_heads + head));
    }
  }
  sum = tile::warp_sum(sum);
  const uint32_t shared = tile::shared_base();
  if (lane() == 0) store_double(shared + 8 * warp(), sum);
  tile::sync_block();
  if (tile::thread_index() != 0) return;
  sum = 0;
  FOVEA_UNROLL
  for (int i = 0; i < kWarps; ++i) sum += load_double(shared + 8 * i);
  // Scores are in units of log2.
  sum *= -2 * kLn2 / double(tile::load_global(p.bandwidth + head));
  if (p.spec.accumulate) sum += double(tile::load_global(b.dbandwidth + head));
  tile::store_global(b.dbandwidth + head, float(sum));
}

}  // namespace

BackwardKernel* backward_rows_kernel() { return distance_backward_rows; }
BackwardKernel* backward_sums_kernel() { return distance_backward_sums; }

}  // namespace fovea::distance::cuda
