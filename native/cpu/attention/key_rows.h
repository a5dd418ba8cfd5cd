// Where rows of key and value lie: one behind another, or in the pages of a cache. The one place that knows.
#pragma once

#include <bit>

#include "cpu/attention/pack_rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class KeyRows {
 public:
  KeyRows(const AttentionRows& rows, const Inputs& operands) : rows_(rows), spec_(rows.spec()) {
    if (!spec_.has_block_table) return;
    pages_ = operands.block_table + rows.batch() * spec_.block_table_stride[0];
    shift_ = std::countr_zero(uint64_t(spec_.page_size));
  }

  // Rows [j, j + count) of a tensor like key. Those before key `low`, which nobody sees, whose page may be
  // gone, and those up to `filled` are rows of zeros.
  void find(const void* tensor, const int64_t (&stride)[3], int64_t j, int64_t low, int count, int filled,
            const char** to) const {
    const char* const base = static_cast<const char*>(tensor);
    const int bytes = element_bytes(spec_.cache_dtype);
    const int begin = int(std::clamp<int64_t>(low - j, 0, count));
    std::fill(to, to + begin, kZeroRow);
    const int64_t step = stride[1] * bytes;
    for_each_run(j, begin, count, [&](int k, int end) {
      const char* row = base + offset(stride, j + k) * bytes;
      for (; k < end; ++k, row += step) to[k] = row;
    });
    std::fill(to + count, to + filled, kZeroRow);
  }

  // What elements of keys [j, j + count) are multiplied by, in a tensor of strides (batch or page, position); of those
  // before `low` 0.
  void load_scales(const float* scales, const int64_t (&stride)[2], int64_t j, int64_t low, int count,
                   float* to) const {
    const int begin = int(std::clamp<int64_t>(low - j, 0, count));
    std::fill(to, to + begin, 0.0f);
    for_each_run(j, begin, count, [&](int k, int end) {
      const float* at = scales + offset({stride[0], stride[1], 1}, j + k);
      for (; k < end; ++k, at += stride[1]) to[k] = *at;
    });
  }

 private:
  // Calls body(k, end) for runs [k, end) of [begin, count) whose keys j + k lie behind each other.
  template <typename Body>
  void for_each_run(int64_t j, int begin, int count, Body body) const {
    for (int k = begin; k < count;) {
      const int64_t left = pages_ == nullptr ? INT32_MAX : spec_.page_size - ((j + k) & (spec_.page_size - 1));
      const int end = int(std::min<int64_t>(count, k + left));
      body(k, end);
      k = end;
    }
  }

  int64_t offset(const int64_t (&stride)[3], int64_t key) const {
    if (pages_ == nullptr) return rows_.key_offset(stride, key);
    return pages_[key >> shift_] * stride[0] + (key & (spec_.page_size - 1)) * stride[1] +
           rows_.key_head() * stride[2];
  }

  const AttentionRows& rows_;
  const Spec& spec_;
  const int32_t* pages_ = nullptr;
  int shift_ = 0;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
