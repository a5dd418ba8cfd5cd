// Values of e4m3 with their keys along rows, which a product of 8 bits has no other way to read: 2 bytes of traffic to an
// element, where attention takes 4 operations for each query. In return values may lie anyhow, and what a sequence does
// not have of its last tile is zero.

#include "cuda/attention/warpgroup_values.cuh"
#include "tile/grid.cuh"
#include "tile/shared.cuh"
#include "tile/warp.cuh"

namespace fovea::attention::cuda {
namespace {

// A block transposes a tile of keys of a sequence and key head, 128 columns after the other.
class ValueTransposer {
 public:
  static constexpr int kColumns = 128, kWords = kTransposedKeys / 4;  // of a column
  static_assert(kColumns * kTransposedKeys == kTransposeBytes);

  FOVEA_DEVICE explicit ValueTransposer(const WarpgroupParams& params) : p(params) {
    const uint32_t item = uint32_t(p.first_item) + tile::block_index(), heads = uint32_t(p.spec.key_heads);
    const uint32_t pair = item / uint32_t(p.sequence_tiles);
    tile_ = int32_t(item - pair * uint32_t(p.sequence_tiles));
    head_ = int32_t(pair % heads);
    rows_ = locate_pair(p, pair / heads, 0);
  }

  FOVEA_DEVICE void run() const {
    if (tile_ * kTransposedKeys >= rows_.key_length) return;
    FOVEA_NO_UNROLL
    for (int32_t first = 0; first < p.value_head_dim; first += kColumns) {
      load(first);
      tile::sync_block();
      store(first);
      tile::sync_block();
    }
  }

 private:
  // Words of a column change places with its number, so that neither way meets a bank twice.
  static FOVEA_DEVICE uint32_t place(uint32_t column, uint32_t word) {
    return tile::shared_base() + 4 * (column * kWords + (word ^ column / 4 % kWords));
  }

  // A thread has four columns of four keys, those that a product takes together: see pack_e4m3().
  FOVEA_DEVICE void load(int32_t first) const {
    FOVEA_NO_UNROLL
    for (uint32_t n = tile::thread_index(); n < kColumns / 4 * kWords; n += kTransposeThreads) {
      const uint32_t columns = n % (kColumns / 4) * 4, word = n / (kColumns / 4);
      const uint32_t key = word / 4 * 16 + word % 4 * 2;
      uint32_t from[4], to[4] = {};
      FOVEA_UNROLL
      for (int k = 0; k < 4; ++k) from[k] = load_columns(int32_t(key) + k % 2 + k / 2 * 8, first + int32_t(columns));
      FOVEA_UNROLL
      for (int c = 0; c < 4; ++c) {
        FOVEA_UNROLL
        for (int k = 0; k < 4; ++k) to[c] |= (from[k] >> 8 * c & 0xff) << 8 * k;
        tile::store_shared(place(columns + c, word), to[c]);
      }
    }
  }

  FOVEA_DEVICE uint32_t load_columns(int32_t key, int32_t column) const {
    const int32_t at = tile_ * kTransposedKeys + key;
    if (at >= rows_.key_length) return 0;
    const int64_t(&stride)[3] = p.spec.value_stride;
    const auto* const from = static_cast<const uint8_t*>(p.value) + rows_.batch * stride[0] +
                             (int64_t{rows_.key_start} + at) * stride[1] + head_ * stride[2] + column;
    const int32_t count = p.value_head_dim - column;
    if (count >= 4 && p.value_copy.bytes >= 4) return tile::load_global(reinterpret_cast<const uint32_t*>(from));
    uint32_t all = 0;
    FOVEA_UNROLL
    for (int c = 0; c < 4; ++c) {
      if (c < count) all |= uint32_t{tile::load_global(from + c)} << 8 * c;
    }
    return all;
  }

  FOVEA_DEVICE void store(int32_t first) const {
    const int64_t tile = first_transposed(p, rows_) + tile_;
    auto* const to = reinterpret_cast<uint32_t*>(p.transposed) +
                     ((tile * p.spec.key_heads + head_) * p.value_head_dim + first) * kWords;
    const uint32_t left = uint32_t(p.value_head_dim - first), columns = left < kColumns ? left : kColumns;
    FOVEA_NO_UNROLL
    for (uint32_t n = tile::thread_index(); n < columns * kWords; n += kTransposeThreads) {
      tile::store_global(to + n, tile::load_shared(place(n / kWords, n % kWords)));
    }
  }

  const WarpgroupParams& p;
  int32_t tile_, head_;
  AttentionRows rows_;
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kTransposeThreads, 4) void transpose_values(const WarpgroupParams p) {
  ValueTransposer(p).run();
  tile::let_next_kernel_start();
}

}  // namespace

WarpgroupKernel* transpose_values_kernel() { return transpose_values; }

}  // namespace fovea::attention::cuda
