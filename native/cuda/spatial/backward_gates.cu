// Gates of the pixels of a part once more, the gradients of what they are of, and what those add to
// the gradients of weight and bias; and the sums of these.

#include "cuda/sigmoid.cuh"
#include "cuda/spatial/convolve.cuh"

namespace fovea::spatial::cuda {
namespace {

FOVEA_DEVICE uint32_t dz_address(int32_t at) { return tile::shared_base() + 4 * uint32_t(at); }

// The sum over the pixels of a part of dz times what element k of the weight has met there, or the
// bias: threads have elements, slices of them some of the pixels each.
FOVEA_DEVICE void correlate(const SpatialParams& p, const Part& part, int64_t item) {
  const auto size = int32_t(p.spec.kernel_size), reach = size / 2;
  const int32_t elements = kMaps * size * size + 1;
  const int32_t wanted = (elements + tile::kWarp - 1) / tile::kWarp * tile::kWarp;
  const int32_t width = wanted < kThreads ? wanted : kThreads, slices = kThreads / width;
  const auto thread = int32_t(tile::thread_index());
  const int32_t slice = thread / width;
  const float* const maps = p.memory.maps + part.image * kMaps * p.pixels;
  const auto sum_address = [](int32_t of) { return dz_address(kGatePixels + of); };
  FOVEA_NO_UNROLL
  for (int32_t first = 0; first < elements; first += width) {
    const int32_t k = first + thread % width;
    const bool is_bias = k == elements - 1;
    const int32_t map = k / (size * size), i = k / size % size - reach, j = k % size - reach;
    float sum = 0;
    if (k < elements && slice < slices) {
      Position position(p, part.begin);
      position.move(p, slice);
      FOVEA_UNROLL_BY(4)
      for (int32_t at = slice; at < part.count; at += slices) {
        const float value = is_bias ? 1.0f
                                    : load_map(p, maps + map * p.pixels, int64_t{position.row} + i,
                                               int64_t{position.column} + j);
        sum = tile::fused_multiply_add(load_float(dz_address(at)), value, sum);
        position.move(p, slices);
      }
    }
    if (first > 0) tile::sync_block();
    store_float(sum_address(thread), sum);
    tile::sync_block();
    if (slice > 0 || k >= elements) continue;
    float total = 0;
    for (int32_t s = 0; s < slices; ++s) {
      total += load_float(sum_address(s * width + thread % width));
    }
    tile::store_global(p.memory.sums + k * p.gate_items + item, total);
  }
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3)
void spatial_backward_gates(const SpatialParams p) {
  const int64_t item = p.first_item + tile::block_index();
  const Part part(p, item);
  each_gate(p, part, [&](int32_t at, float z) {
    const int64_t pixel = part.image * p.pixels + part.begin + at;
    const float gate = sigmoid(z);
    const float dz = tile::load_global(p.memory.products + pixel) * (gate * (1 - gate));
    tile::store_global(p.memory.gates + pixel, gate);
    tile::store_global(p.memory.dz + pixel, dz);
    store_float(dz_address(at), dz);
  });
  if (p.memory.sums == nullptr) return;
  tile::sync_block();
  correlate(p, part, item);
}

FOVEA_DEVICE void store_double(uint32_t address, double x) {
  const uint64_t bits = tile::as_bits(x);
  tile::store_shared_pair(address, uint32_t(bits), uint32_t(bits >> 32));
}
FOVEA_DEVICE double load_double(uint32_t address) {
  uint32_t low, high;
  tile::load_shared_pair(address, low, high);
  return tile::as_double(uint64_t{high} << 32 | low);
}

// A block has an element of the gradients, and adds up what all parts have of it, in float64.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3)
void spatial_backward_sums(const SpatialParams p) {
  const int64_t k = p.first_item + tile::block_index(), size = p.spec.kernel_size;
  const bool is_bias = k == kMaps * size * size;
  float* const gradient = is_bias ? p.dbias : p.dweight;
  if (gradient == nullptr) return;
  double sum = 0;
  FOVEA_UNROLL_BY(8)
  for (int64_t item = tile::thread_index(); item < p.gate_items; item += kThreads) {
    sum += double(tile::load_global(p.memory.sums + k * p.gate_items + item));
  }
  sum = tile::warp_sum(sum);
  const auto address = [](int of) { return tile::shared_base() + 8 * uint32_t(of); };
  if (lane() == 0) store_double(address(warp()), sum);
  tile::sync_block();
  if (tile::thread_index() != 0) return;
  for (int of = 1; of < kWarps; ++of) sum += load_double(address(of));
  float* const to = is_bias ? gradient
                            : gradient + k / (size * size) * p.spec.dweight_stride[0] +
                                  k / size % size * p.spec.dweight_stride[1] + k % size;
  if (p.spec.accumulate) sum += double(tile::load_global(to));
  tile::store_global(to, float(sum));
}

}  // namespace

SpatialKernel* gate_kernel() { return spatial_backward_gates; }
SpatialKernel* sum_kernel() { return spatial_backward_sums; }

}  // namespace fovea::spatial::cuda
