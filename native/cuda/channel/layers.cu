// The two layers between means and gates. A warp has a row of a weight, and multiplies with it what
// a few images have.

#include "cuda/channel/vectors.cuh"
#include "cuda/sigmoid.cuh"

namespace fovea::channel::cuda {
namespace {

// One of the sums that pooling has left of each chunk of an image.
FOVEA_DEVICE const float* chunk_of(const ChannelParams& p, const float* sums, int64_t image,
                                   int64_t chunk) {
  return sums + (image * p.chunks + chunk) * p.spec.channels;
}

FOVEA_DEVICE float mean_of(const ChannelParams& p, int64_t image, int32_t channel) {
  float sum = 0;
  FOVEA_UNROLL_BY(8)
  for (int64_t k = 0; k < p.chunks; ++k) {
    sum += tile::load_global(chunk_of(p, p.memory.sums, image, k) + channel);
  }
  return sum * p.share;
}

// Of dout * x over an image; alike in all lanes.
FOVEA_DEVICE float product_of(const ChannelParams& p, int64_t image, int32_t channel) {
  float sum = 0;
  for (int64_t k = lane(); k < p.chunks; k += tile::kWarp) {
    sum += tile::load_global(chunk_of(p, p.memory.products, image, k) + channel);
  }
  return tile::warp_sum(sum);
}

struct Layer {
  const float* weight;
  int64_t stride;
  const float* bias;
  int32_t rows, columns;
};

// Calls finish(image, row, z) in all lanes of a warp for z = <row, in> + bias of each image, in
// being what load(image, column) is.
template <typename Load, typename Finish>
FOVEA_DEVICE void multiply(const ChannelParams& p, const Layer& layer, Load load, Finish finish) {
  const uint32_t item = uint32_t(p.first_item) + tile::block_index();
  const uint32_t blocks = uint32_t(layer.rows + kLayerRows - 1) / kLayerRows;
  const int64_t image = int64_t{item / blocks} * kLayerImages;
  const int32_t row = int32_t(item % blocks) * kLayerRows + warp();
  const float* const weight = layer.weight + row * layer.stride;
  float sum[kLayerImages] = {};
  each_part(image, p.spec.batch, layer.columns, load, [&](int32_t begin, int32_t count) {
    if (row >= layer.rows) return;
    FOVEA_UNROLL_BY(8)
    for (int32_t c = lane(); c < count; c += tile::kWarp) {
      const float w = tile::load_global(weight + begin + c);
      FOVEA_UNROLL
      for (int i = 0; i < kLayerImages; ++i) {
        sum[i] = tile::fused_multiply_add(w, load_float(vector_address(i, c)), sum[i]);
      }
    }
  });
  if (row >= layer.rows) return;
  const float bias = layer.bias == nullptr ? 0.0f : tile::load_global(layer.bias + row);
  FOVEA_UNROLL
  for (int i = 0; i < kLayerImages; ++i) {
    if (image + i < p.spec.batch) finish(image + i, row, tile::warp_sum(sum[i]) + bias);
  }
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void channel_layer(const ChannelParams p) {
  const Spec& spec = p.spec;
  const int32_t channels = int32_t(spec.channels), hidden = int32_t(spec.hidden);
  if (p.phase == kHiddenPhase) {
    // One of the blocks of an image keeps its means.
    const uint32_t blocks = uint32_t(hidden + kLayerRows - 1) / kLayerRows;
    const bool keeps =
        p.memory.mean != nullptr && (uint32_t(p.first_item) + tile::block_index()) % blocks == 0;
    multiply(
        p, {p.in.weight1, spec.weight1_stride[0], p.in.bias1, hidden, channels},
        [&](int64_t image, int32_t channel) {
          const float mean = mean_of(p, image, channel);
          if (keeps) tile::store_global(p.memory.mean + image * channels + channel, mean);
          return mean;
        },
        [&](int64_t image, int32_t row, float z) {
          if (lane() != 0) return;
          tile::store_global(p.memory.hidden + image * hidden + row, z <= 0 ? 0.0f : z);
        });
    return;
  }
  multiply(
      p, {p.in.weight2, spec.weight2_stride[0], p.in.bias2, channels, hidden},
      [&](int64_t image, int32_t unit) {
        return tile::load_global(p.memory.hidden + image * hidden + unit);
      },
      [&](int64_t image, int32_t row, float z) {
        const float gate = sigmoid(z);
        const int64_t at = image * channels + row;
        if (p.memory.products != nullptr) {
          const float product = product_of(p, image, row);
          if (lane() == 0) tile::store_global(p.memory.dz2 + at, product * (gate * (1 - gate)));
        }
        if (lane() == 0) tile::store_global(p.memory.gate + at, gate);
      });
}

}  // namespace

ChannelKernel* layer_kernel() { return channel_layer; }

}  // namespace fovea::channel::cuda
