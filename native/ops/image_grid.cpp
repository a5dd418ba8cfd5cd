#include "ops/image_grid.h"

#include <algorithm>

namespace fovea {

Grid join(int64_t channels, int64_t height, int64_t width,
          std::initializer_list<ImageStride*> tensors) {
  const auto all = [&](auto holds) { return std::all_of(tensors.begin(), tensors.end(), holds); };
  Grid grid = {channels, height, width, false};
  if (width == 1) {
    for (ImageStride* it : tensors) it->column = it->row;
    grid = {channels, 1, height, false};
  } else if (height == 1 || all([&](const ImageStride* it) { return it->row == it->column * width; })) {
    grid = {channels, 1, height * width, false};
  }
  grid.channels_last =
      all([](const ImageStride* it) { return it->channel == 1; }) &&
      !(grid.length > 1 && all([](const ImageStride* it) { return it->column == 1; }));
  return grid;
}

}  // namespace fovea
