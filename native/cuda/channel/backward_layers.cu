// The transposes of the two layers, and the gradients of their weights and biases.

#include "cuda/channel/vectors.cuh"

namespace fovea::channel::cuda {
namespace {

struct Weight {
  const float* at;
  int64_t stride;
  int32_t rows, columns;
};

// Calls finish(image, column, sum) in one thread for each column and image of a block, `sum` being
// that of the column times in, which load(image, row) is.
template <typename Load, typename Finish>
FOVEA_DEVICE void multiply_transposed(const ChannelParams& p, const Weight& weight, Load load,
                                      Finish finish) {
  const uint32_t item = uint32_t(p.first_item) + tile::block_index();
  const uint32_t blocks = uint32_t(weight.columns + kColumns - 1) / kColumns;
  const int64_t image = int64_t{item / blocks} * kLayerImages;
  const uint32_t thread = tile::thread_index();
  const int32_t first = int32_t(item % blocks) * kColumns;
  const int32_t column = first + int32_t(thread % kColumns);
  float sum[kLayerImages] = {};
  each_part(image, p.spec.batch, weight.rows, load, [&](int32_t begin, int32_t count) {
    if (column >= weight.columns) return;
    FOVEA_UNROLL_BY(8)
    for (auto r = int32_t(thread / kColumns); r < count; r += kRowGroups) {
      const float w = tile::load_global(weight.at + (begin + r) * weight.stride + column);
      FOVEA_UNROLL
      for (int i = 0; i < kLayerImages; ++i) {
        sum[i] = tile::fused_multiply_add(w, load_float(vector_address(i, r)), sum[i]);
      }
    }
  });
  tile::sync_block();
  const auto address = [](int i, uint32_t of) {
    return tile::shared_base() + 4 * (uint32_t(i) * kThreads + of);
  };
  FOVEA_UNROLL
  for (int i = 0; i < kLayerImages; ++i) store_float(address(i, thread), sum[i]);
  tile::sync_block();
  const int i = int(thread / kColumns);
  if (i >= kLayerImages || image + i >= p.spec.batch || column >= weight.columns) return;
  float total = 0;
  for (int group = 0; group < kRowGroups; ++group) {
    total += load_float(address(i, uint32_t(group * kColumns) + thread % kColumns));
  }
  finish(image + i, column, total);
}

// Of one of the weights [rows, columns] and its bias: sums over images of dz in^T, and of dz.
struct WeightGradient {
  int64_t rows, columns;
  const float* dz;
  const float* in;
  float* dweight;
  int64_t stride;
  float* dbias;
};

FOVEA_DEVICE void sum_images(const ChannelParams& p, const WeightGradient& it, int64_t item) {
  const int64_t element = item * kThreads + tile::thread_index(), row = element / (it.columns + 1);
  const int64_t column = element % (it.columns + 1);
  const bool is_bias = column == it.columns;
  float* const to = is_bias ? it.dbias : it.dweight;
  if (row >= it.rows || to == nullptr) return;
  // In float32 some images at a time, and those in float64: most GPUs are slow at it, and single
  // sums of all would lose what thousands of images add.
  constexpr int64_t kImages = 32;
  double total = 0;
  FOVEA_NO_UNROLL
  for (int64_t first = 0; first < p.spec.batch; first += kImages) {
    const int64_t end = first + kImages < p.spec.batch ? first + kImages : p.spec.batch;
    float sum = 0;
    FOVEA_UNROLL_BY(8)
    for (int64_t n = first; n < end; ++n) {
      const float in = is_bias ? 1.0f : tile::load_global(it.in + n * it.columns + column);
      sum = tile::fused_multiply_add(tile::load_global(it.dz + n * it.rows + row), in, sum);
    }
    total += double(sum);
  }
  float* const at = to + (is_bias ? row : row * it.stride + column);
  if (p.spec.accumulate) total += double(tile::load_global(at));
  tile::store_global(at, float(total));
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void channel_backward_layer(const ChannelParams p) {
  const Spec& spec = p.spec;
  const Memory& memory = p.memory;
  const int32_t channels = int32_t(spec.channels), hidden = int32_t(spec.hidden);
  if (p.phase == kHiddenGradientPhase) {
    multiply_transposed(
        p, {p.in.weight2, spec.weight2_stride[0], channels, hidden},
        [&](int64_t image, int32_t row) {
          return tile::load_global(memory.dz2 + image * channels + row);
        },
        [&](int64_t image, int32_t unit, float sum) {
          const int64_t at = image * hidden + unit;
          const bool is_off = tile::load_global(memory.hidden + at) == 0;
          tile::store_global(memory.dz1 + at, is_off ? 0.0f : sum);
        });
    return;
  }
  const int64_t item = p.first_item + tile::block_index() - p.layer_items;
  if (item < 0) {
    multiply_transposed(
        p, {p.in.weight1, spec.weight1_stride[0], hidden, channels},
        [&](int64_t image, int32_t row) {
          return tile::load_global(memory.dz1 + image * hidden + row);
        },
        [&](int64_t image, int32_t channel, float sum) {
          tile::store_global(memory.add + image * channels + channel, sum * p.share);
        });
  } else if (item < p.first_weight_items) {
    sum_images(p,
               {hidden, channels, memory.dz1, memory.mean, p.dweight1, spec.dweight1_stride[0],
                p.dbias1},
               item);
  } else {
    sum_images(p,
               {channels, hidden, memory.dz2, memory.hidden, p.dweight2, spec.dweight2_stride[0],
                p.dbias2},
               item - p.first_weight_items);
  }
}

}  // namespace

ChannelKernel* backward_layer_kernel() { return channel_backward_layer; }

}  // namespace fovea::channel::cuda
