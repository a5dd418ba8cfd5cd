// What is written row after row, once: past the caches where it is large.
#pragma once

#include <cstdint>

#include "cpu/stream.h"

namespace fovea::cpu::FOVEA_TIER {

// Rows of other than whole lines that lie end to end in memory are gathered in L1, so that whole lines go out: one that is written
// past the caches in two parts takes several times as long as the rest of its row.
template <typename T>
class Output {
 public:
  static constexpr int64_t kElements = 4096 / int64_t{sizeof(T)};

  explicit Output(bool streams) : streams_(streams) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // After the last row, before another thread is told that they are there: a fence behind every few rows
  // would cost a third. (Not a destructor, which would bring in the unwinder.)
  void end() {
    if (!streams_) return;
    flush();
    end_streams();
  }

  // Whether a row is of whole lines, which may go out as they are.
  bool takes_lines(const T* to, int64_t count) const {
    return streams_ && count % (64 / int64_t{sizeof(T)}) == 0 &&
           reinterpret_cast<uintptr_t>(to) % kLine == 0;
  }

  // Where to write the `count` elements, at most kElements, that belong to `to`, before the next call.
  T* row(T* to, int64_t count) {
    if (!streams_) return to;
    if (to != to_ + count_ || count_ + count > kElements) {
      flush();
      to_ = to;
    }
    T* const at = rows_ + count_;
    count_ += count;
    return at;
  }

 private:
  [[gnu::noinline]] void flush() {
    const int64_t bytes = count_ * int64_t{sizeof(T)};
    char* const to = reinterpret_cast<char*>(to_);
    const char* const from = reinterpret_cast<const char*>(rows_);
    const int64_t head = std::min(bytes, int64_t(-reinterpret_cast<uintptr_t>(to) % kLine));
    const int64_t body = (bytes - head) / kLine * kLine;
    std::memcpy(to, from, size_t(head));
    copy_lines(from + head, body, to + head);
    std::memcpy(to + head + body, from + head + body, size_t(bytes - head - body));
    count_ = 0;
  }

  static constexpr uintptr_t kLine = 64;

  static void copy_lines(const char* from, int64_t bytes, char* to) {
#if defined(__AVX2__)
    for (int64_t i = 0; i < bytes; i += 32) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i), v);
    }
#else
    std::memcpy(to, from, size_t(bytes));
#endif
  }

  alignas(64) T rows_[kElements + 8];
  T* to_ = nullptr;
  int64_t count_ = 0;
  const bool streams_;
};

}  // namespace fovea::cpu::FOVEA_TIER
