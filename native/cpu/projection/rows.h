// Rows of tensors as float32 and back.
#pragma once

#include "core/operation.h"
#include "cpu/product.h"
#include "cpu/vectors.h"

namespace fovea::projection::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Rows of a tensor, `stride` apart: `at` is the first element of the first.
struct Rows {
  const void* at;
  int32_t dtype;
  int64_t stride, rows, columns;

  Rows(const void* tensor, int32_t type, int64_t offset, int64_t row_stride, int64_t count,
       int64_t width)
      : at(nullptr), dtype(type), stride(row_stride), rows(count), columns(width) {
    with_type(dtype, [&](auto zero) { at = static_cast<const decltype(zero)*>(tensor) + offset; });
  }

  // Each becomes one of whole vectors, filled up with zeros.
  void load(const Panel<float>& to) const {
    with_type(dtype, [&](auto zero) {
      for (int64_t r = 0; r < rows; ++r) {
        widen_row(static_cast<const decltype(zero)*>(at) + r * stride, to.at + r * to.row);
      }
    });
  }

 private:
  template <typename T>
  void widen_row(const T* from, float* to) const {
    int64_t c = 0;
    if constexpr (sizeof(T) == 4) {
      for (; c + kLanes <= columns; c += kLanes) store(to + c, load_vector(from + c));
    }
    if (c < columns) load_row(from + c, columns - c, 1.0f, to + c);
  }
};

// Rows of an output this large are in no cache, and lie so far apart that each store would wait for memory.
constexpr int64_t kFarBytes = int64_t{4} << 20;

// The way back, to a tensor of so many elements.
class RowsOut {
 public:
  RowsOut(void* tensor, int32_t dtype, int64_t elements, int64_t stride, int64_t columns)
      : tensor_(tensor),
        dtype_(dtype),
        stride_(stride),
        columns_(columns),
        far_(elements * element_bytes(dtype) >= kFarBytes) {}

  // From the element at `offset` on, or added to what is there.
  void store(const Panel<float>& from, int64_t rows, int64_t offset, bool add = false) const {
    with_type(dtype_, [&](auto zero) {
      auto* const to = static_cast<decltype(zero)*>(tensor_) + offset;
      const bool streams = far_ && !add && is_lines(reinterpret_cast<intptr_t>(to)) &&
                           is_lines(stride_ * int64_t{sizeof zero}) &&
                           is_lines(columns_ * int64_t{sizeof zero});
      for (int64_t r = 0; r < rows; ++r) {
        const float* const row = from.at + r * from.row;
        if (streams) {
          for (int64_t c = 0; c < columns_; c += 16) {
            stream16(to + r * stride_ + c, load8(row + c), load8(row + c + 8));
          }
        } else {
          store_row(row, columns_, 1.0f, add, to + r * stride_);
        }
      }
      if (streams) end_streams();
    });
  }

 private:
  static bool is_lines(int64_t bytes) { return bytes % 64 == 0; }

  void* const tensor_;
  const int32_t dtype_;
  const int64_t stride_, columns_;
  const bool far_;
};

inline void clear_rows(const Panel<float>& panel, int64_t rows) {
  std::fill_n(panel.at, rows * panel.row, 0.0f);
}

}  // namespace fovea::projection::cpu::FOVEA_TIER
