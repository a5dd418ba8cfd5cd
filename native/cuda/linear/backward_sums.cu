// ddecay and dbeta: sums of the parts that panels have of the gradient of a key, and over positions and
// sequences that share an element; in double, in a fixed order.

#include "cuda/linear/load.cuh"
#include "cuda/linear/params.h"
#include "cuda/softmax/rows.cuh"

namespace fovea::linear::cuda {
namespace {

class Sums {
 public:
  FOVEA_DEVICE Sums(const SumParams& params) : s(params), p(params.forward) {
    const uint32_t item = uint32_t(p.first_item) + tile::block_index();
    const uint32_t result = item / uint32_t(s.tiles), tile = item - result * uint32_t(s.tiles);
    head_ = int32_t(result / uint32_t(s.results));
    result_ = int32_t(result - uint32_t(head_) * uint32_t(s.results));
    row_ = s.one_row ? 0 : int32_t(tile) * kSumThreads + thread();
  }

  FOVEA_DEVICE void run() const {
    const int32_t sequences = int32_t(p.pairs / p.key_heads);
    const int32_t last = s.all_sequences ? sequences : result_ + 1;
    // Packed, a result that is of one row for each has the rows of its sequence.
    const bool by_sequence = p.spec.packed && !s.one_row;
    const AttentionRows first = by_sequence ? locate(result_) : AttentionRows{};
    const bool there = s.one_row || row_ < (by_sequence ? key_rows(p, result_) : p.key_length);
    double total = 0;
    for (int32_t batch = result_; batch < last && there; ++batch) total += sum(batch);
    if (s.one_row) total = sum_of_block(total);
    if (!there || (s.one_row && thread() != 0)) return;
    float* const to = s.to + (p.spec.packed ? 0 : result_ * s.stride[0]) +
                      (int64_t{first.key_start} + row_) * s.stride[1] + head_ * s.stride[2];
    if (p.spec.accumulate) total += double(tile::load_global(to));
    tile::store_global(to, float(total));
  }

 private:
  static FOVEA_DEVICE int32_t thread() { return int32_t(tile::thread_index()); }
  FOVEA_DEVICE AttentionRows locate(int32_t batch) const {
    return locate_pair(p, uint32_t(batch), uint32_t(head_));
  }

  // Of the thread's rows of a sequence.
  FOVEA_DEVICE double sum(int32_t batch) const {
    const AttentionRows rows = locate(batch);
    const int64_t start = p.spec.packed ? rows.key_start : int64_t{batch} * p.key_length;
    const int32_t begin = s.one_row ? thread() : row_, end = s.one_row ? rows.key_length : row_ + 1;
    double total = 0;
    FOVEA_NO_UNROLL
    for (int32_t j = begin; j < end && j < rows.key_length; j += kSumThreads) {
      const float* const parts = s.parts + ((start + j) * p.key_heads + head_) * s.blocks;
      FOVEA_NO_UNROLL
      for (int32_t i = 0; i < s.blocks; ++i) total += double(tile::load_global(parts + i));
    }
    return total;
  }

  // That of all threads, for the first.
  static FOVEA_DEVICE double sum_of_block(double x) {
    const uint32_t shared = tile::shared_base();
    const auto bits = __builtin_bit_cast(uint64_t, x);
    tile::store_shared_pair(shared + 8 * uint32_t(thread()), uint32_t(bits), uint32_t(bits >> 32));
    tile::sync_block();
    if (thread() != 0) return 0;
    double total = 0;
    FOVEA_NO_UNROLL
    for (uint32_t i = 0; i < kSumThreads; ++i) {
      uint32_t low, high;
      tile::load_shared_pair(shared + 8 * i, low, high);
      total += __builtin_bit_cast(double, uint64_t{high} << 32 | low);
    }
    return total;
  }

  const SumParams& s;
  const ForwardParams& p;
  int32_t head_, result_, row_;
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kSumThreads, 1)
void linear_backward_sums(const SumParams s) { Sums(s).run(); }

}  // namespace

SumKernel* backward_sums_kernel() { return linear_backward_sums; }

}  // namespace fovea::linear::cuda
