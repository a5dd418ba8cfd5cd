#include "cuda/image/make_walk.h"

#include <algorithm>

#include "core/operation.h"

namespace fovea::cuda {
namespace {

// A stride that is never stepped over may be any number.
void clear_unused(const ImageSize& size, ImageStride& stride) {
  if (size.batch <= 1) stride.image = 0;
  if (size.channels == 1) stride.channel = 0;
}
void clear_unused(const Grid& grid, ImageStride& stride) {
  if (grid.lines == 1) stride.row = 0;
  if (grid.length == 1) stride.column = 0;
}

// Whether every line is whole packets, and begins with one wherever the tensor does.
bool has_packets(const Grid& grid, const ImageStride& stride, int packet) {
  const bool last = grid.channels_last;
  const int64_t neighbours = last ? grid.channels : grid.length;
  const int64_t inner = last ? stride.channel : stride.column;
  const int64_t outer = last ? stride.column : stride.channel;
  if (neighbours > 1 && inner != 1) return false;
  const int64_t multiples[] = {neighbours, outer, stride.row, stride.image};
  return std::ranges::all_of(multiples, [&](int64_t it) { return it % packet == 0; });
}

}  // namespace

ImageWalk make_walk(const ImageSize& size, std::initializer_list<ImageOperand> operands) {
  ImageWalk walk = {};
  int bytes = 0, count = 0;
  for (const ImageOperand& it : operands) {
    walk.tensor[count++] = {{const_cast<void*>(it.data), it.dtype, false}, stride_of(it.stride)};
    bytes = std::max(bytes, element_bytes(it.dtype));
  }
  ImageStride& first = walk.tensor[0].stride;
  ImageStride& second = walk.tensor[1].stride;
  walk.grid = count == 1 ? join(size.channels, size.height, size.width, {&first})
                         : join(size.channels, size.height, size.width, {&first, &second});
  walk.pixels = walk.grid.pixels();
  walk.packet = 16 / bytes;
  for (int i = 0; i < count; ++i) {
    clear_unused(size, walk.tensor[i].stride);
    clear_unused(walk.grid, walk.tensor[i].stride);
  }
  for (int i = 0; i < count; ++i) {
    if (!has_packets(walk.grid, walk.tensor[i].stride, walk.packet)) walk.packet = 1;
  }
  for (int i = 0; i < count; ++i) {
    ImageTensor& it = walk.tensor[i];
    it.whole = is_whole(it.data, walk.packet, element_bytes(it.dtype));
  }
  return walk;
}

void set_lanes(ImageWalk& walk, int64_t wanted, int most) {
  walk.lanes = 1;
  while (walk.lanes < most && walk.lanes < wanted) walk.lanes *= 2;
  walk.groups = kImageThreads / walk.lanes;
}

}  // namespace fovea::cuda
