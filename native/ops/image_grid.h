// How a pass walks over an image: which dimension is the inner one, and where a row of it breaks.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace fovea {

// Of one tensor [N, C, H, W], in elements.
struct ImageStride {
  int64_t image, channel, row, column;
};

// The pixels of an image are counted row after row, and lie in lines of neighbours that are `column`
// elements apart in a tensor: an image of full rows is one line.
struct Grid {
  int64_t channels, lines, length;
  bool channels_last;  // in all tensors the channels of a pixel are neighbours, and its pixels are not

  int64_t pixels() const { return lines * length; }
};

// Of tensors that a pass walks over together; their strides become those of lines.
Grid join(int64_t channels, int64_t height, int64_t width,
          std::initializer_list<ImageStride*> tensors);

inline ImageStride stride_of(const int64_t (&stride)[4]) {
  return {stride[0], stride[1], stride[2], stride[3]};
}

}  // namespace fovea
