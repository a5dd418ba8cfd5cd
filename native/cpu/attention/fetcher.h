// Fetches what is read next while something else is computed.
#pragma once

#include <cstdint>

#include "cpu/tier.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Brings rows into L2, line after line as they lie in memory.
class Fetcher {
 public:
  Fetcher(const char* const* rows, int64_t bytes, int begin, int end)
      : rows_(rows), bytes_(bytes), row_(begin), end_(end) {}

  // One line.
  void next() {
    if (row_ >= end_) return;
    __builtin_prefetch(rows_[row_] + at_, 0, 2);
    at_ += 64;
    if (at_ < bytes_) return;
    at_ = 0;
    ++row_;
  }

  // What is left.
  void rest() {
    while (row_ < end_) next();
  }

 private:
  const char* const* const rows_;
  const int64_t bytes_;
  int64_t at_ = 0;
  int row_;
  const int end_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
