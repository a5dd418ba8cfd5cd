// A row turned, or its pairs alone: for the kernels of one instruction set tier, see simd.h for FOVEA_TIER.
#pragma once

#include "cpu/stream.h"

namespace fovea::rotary::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

constexpr int64_t kStep = 8;

// A row of the tables; sines are multiplied by `sign`, -1 to turn back.
struct Angles {
  const float *cosines, *sines;
  float sign;
};

template <typename From, typename To>
struct Row {
  static constexpr int64_t kLine = 64 / int64_t{sizeof(To)};
  const From* from;
  To* to;
  int64_t pairs, columns;
  bool streams;  // past the caches

  void put(int64_t at, float8 x, float8 y) const {
    if (streams) return stream16(to + at, x, y);
    store8(to + at, x);
    store8(to + at + kStep, y);
  }

  void put_pair(const Angles& angles, int64_t c, int64_t a, int64_t b) const {
    const float cosine = angles.cosines[c], sine = angles.sines[c] * angles.sign;
    const float x = to_float(from[a]), y = to_float(from[b]);
    to[a] = from_float<To>(cosine * x - sine * y);
    to[b] = from_float<To>(cosine * y + sine * x);
  }

  // Whole lines of either half before the other's: a line that goes past the caches in two parts, with another
  // between them, cost a tenth.
  void turn_halves(const Angles& angles) const {
    const auto turn = [&](int64_t c, float8& low, float8& high) {
      const float8 cosine = load8(angles.cosines + c), sine = load8(angles.sines + c) * angles.sign;
      const float8 x = load8(from + c), y = load8(from + pairs + c);
      low = cosine * x - sine * y;
      high = cosine * y + sine * x;
    };
    int64_t c = 0;
    for (; c + kLine <= pairs; c += kLine) {
      float8 high[kLine / kStep];
#pragma GCC unroll 2
      for (int64_t i = 0; i < kLine; i += 2 * kStep) {
        float8 low[2];
        turn(c + i, low[0], high[i / kStep]);
        turn(c + i + kStep, low[1], high[i / kStep + 1]);
        put(c + i, low[0], low[1]);
      }
#pragma GCC unroll 2
      for (int64_t i = 0; i < kLine; i += 2 * kStep) {
        put(pairs + c + i, high[i / kStep], high[i / kStep + 1]);
      }
    }
    for (; c + kStep <= pairs; c += kStep) {
      float8 low, high;
      turn(c, low, high);
      store8(to + c, low);
      store8(to + pairs + c, high);
    }
    for (; c < pairs; ++c) put_pair(angles, c, c, pairs + c);
  }

  // Of neighbours: each element times its cosine, and the other one times a sine of either sign.
  void turn_neighbours(const Angles& angles) const {
    static constexpr float kSigns[] = {-1, 1, -1, 1, -1, 1, -1, 1};
    const float8 signs = load8(kSigns);
    const auto turn = [&](int64_t at, float8 cosine, float8 sine) {
      const float8 x = load8(from + at);
      return cosine * x + sine * signs * shuffled<1, 0, 3, 2, 5, 4, 7, 6>(x);
    };
    int64_t c = 0;
    for (; c + kStep <= pairs; c += kStep) {
      const float8 cosine = load8(angles.cosines + c), sine = load8(angles.sines + c) * angles.sign;
      const auto low = [](float8 v) { return shuffled<0, 0, 1, 1, 2, 2, 3, 3>(v); };
      const auto high = [](float8 v) { return shuffled<4, 4, 5, 5, 6, 6, 7, 7>(v); };
      put(2 * c, turn(2 * c, low(cosine), low(sine)), turn(2 * c + kStep, high(cosine), high(sine)));
    }
    for (; c < pairs; ++c) put_pair(angles, c, 2 * c, 2 * c + 1);
  }

  void copy_rest() const {
    int64_t c = 2 * pairs;
    for (; c + 2 * kStep <= columns; c += 2 * kStep) put(c, load8(from + c), load8(from + c + kStep));
    for (; c + kStep <= columns; c += kStep) store8(to + c, load8(from + c));
    for (; c < columns; ++c) to[c] = from_float<To>(to_float(from[c]));
  }
};

}  // namespace fovea::rotary::cpu::FOVEA_TIER
