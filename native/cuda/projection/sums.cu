// An element for each thread: partial sums added up, in their order; dout in the type of x.

#include "cuda/projection/lengths.cuh"
#include "tile/convert.cuh"

namespace fovea::projection::cuda {
namespace {

// Of this thread in a launch of so many elements, -1 behind the last.
FOVEA_DEVICE int64_t element_of(int64_t first_item, int64_t elements) {
  const int64_t at = (first_item + tile::block_index()) * kSumThreads + tile::thread_index();
  return at < elements ? at : -1;
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kSumThreads, 4) void projection_sums(const SumParams p) {
  const int64_t at = element_of(p.first_item, p.elements);
  if (at < 0) return;
  const int64_t column = at % p.width, line = at / p.width;
  const int64_t row = line % p.rank, outer = line / p.rank;
  const int64_t head = outer % p.heads, batch = outer / p.heads;
  int32_t count = p.count;
  if (p.chunks) {
    const int32_t length = length_of(p.lengths, int32_t(batch), p.length);
    count = (length + int32_t(kChunk) - 1) / int32_t(kChunk);
  }
  float total = 0;
  for (int32_t part = 0; part < count; ++part) {
    total += tile::load_global(p.parts + part * p.part_stride + at);
  }
  tile::with_type(p.out.dtype, [&](auto* type) {
    using Out = std::remove_pointer_t<decltype(type)>;
    Out* const to = static_cast<Out*>(p.out.at) + batch * p.out.stride[0] + row * p.out.stride[1] +
                    head * p.out.stride[2] + column;
    tile::store_rounded(to, p.out.add ? total + tile::widen(tile::load_global(to)) : total);
  });
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kSumThreads, 4) void projection_convert(const ConvertParams p) {
  const int64_t at = element_of(p.first_item, p.elements);
  if (at < 0) return;
  const int64_t column = at % p.width, line = at / p.width;
  const int64_t head = line % p.heads, row = line / p.heads % p.rows,
                batch = line / p.heads / p.rows;
  const int64_t from =
      batch * p.from.stride[0] + row * p.from.stride[1] + head * p.from.stride[2] + column;
  float x = 0;
  tile::with_type(p.from_dtype, [&](auto* type) {
    x = tile::widen(
        tile::load_global(static_cast<decltype(type)>(const_cast<void*>(p.from.at)) + from));
  });
  tile::with_type(
      p.dtype, [&](auto* type) { tile::store_rounded(static_cast<decltype(type)>(p.to) + at, x); });
}

}  // namespace

SumKernel* sum_kernel() { return projection_sums; }
ConvertKernel* convert_kernel() { return projection_convert; }

}  // namespace fovea::projection::cuda
