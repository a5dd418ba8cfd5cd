// Stores past the caches.
#pragma once

#include "cpu/pack.h"

namespace fovea::cpu::FOVEA_TIER {

// Outputs of so many bytes would not stay in a cache, and a store that goes through one first reads the
// line: half as much again to move.
constexpr int64_t kStreamedBytes = int64_t{32} << 20;

// Sixteen elements: of 16 bits in one store, since a line that comes in four takes longer than one in two.
#if defined(__AVX2__)
inline void stream16(float* p, float8 low, float8 high) {
  _mm256_stream_ps(p, low);
  _mm256_stream_ps(p + 8, high);
}
template <typename Half>
inline void stream16(Half* p, float8 low, float8 high) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), round16(p, low, high));
}
#else
template <typename T>
inline void stream16(T* p, float8 low, float8 high) {
  store8(p, low);
  store8(p + 8, high);
}
#endif

// Before another thread is told that they are there.
inline void end_streams() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
