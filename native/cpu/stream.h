// Stores past the caches.
#pragma once

#include "cpu/pack.h"

namespace fovea::cpu::FOVEA_TIER {

// Outputs of so many bytes would not stay in a cache, and a store that goes through one first reads the
// line: half as much again to move.
constexpr int64_t kStreamedBytes = int64_t{32} << 20;

#if defined(__AVX2__)
inline void stream8(float* p, float8 v) { _mm256_stream_ps(p, v); }
inline void stream_halves(void* p, __m128i v) { _mm_stream_si128(static_cast<__m128i*>(p), v); }
inline void stream8(float16* p, float8 v) {
  stream_halves(p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void stream8(bfloat16* p, float8 v) { stream_halves(p, round_to_bfloat16(v)); }
#else
template <typename T>
inline void stream8(T* p, float8 v) {
  store8(p, v);
}
#endif

// Before another thread is told that they are there.
inline void end_streams() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
