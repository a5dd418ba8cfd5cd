// The functions and their derivatives, a vector at a time. What `value` and `slope` of one z have in common is
// computed once where both are inlined into the same loop.
#pragma once

#include "core/constants.h"
#include "cpu/simd.h"
#include "ops/activation/tails.h"

namespace fovea::activation::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

inline vfloat relu(vfloat z) { return max(splat(0.0f), z); }

struct Identity {
  static vfloat value(vfloat z) { return z; }
  static vfloat slope(vfloat) { return splat(1.0f); }
};

struct Relu {
  static vfloat value(vfloat z) { return relu(z); }
  static vfloat slope(vfloat z) {
    return where(z > splat(0.0f), splat(1.0f), relu(z));
  }
};

struct Sigmoid {
  static vfloat value(vfloat z) { return sigmoid(z); }
  static vfloat slope(vfloat z) { return sigmoid_slope(z); }
};

struct Tanh {
  static vfloat value(vfloat z) { return tanh(z); }
  static vfloat slope(vfloat z) { return splat(4.0f) * sigmoid_slope(z + z); }
};

// z G(z) for a distribution function G with G(-z) = 1 - G(z), from what `Tail` has of it at -a, a = |z|: `below`,
// G(-a), right to its last places however small it is, and `slope`, G(-a) - a G'(a). From `kEnd` on they are 0,
// and a counts as that, lest an infinity meet a 0.
template <typename Tail>
struct Weighted {
  static vfloat value(vfloat z) {
    const vfloat a = min(splat(Tail::kEnd), magnitude(z));
    return fma(-a, Tail::below(a), relu(z));
  }
  static vfloat slope(vfloat z) {
    const vfloat w = Tail::slope(min(splat(Tail::kEnd), magnitude(z)));
    return where(z < splat(0.0f), w, splat(1.0f) - w);
  }
};

struct NormalTail {
  static constexpr float kEnd = kNormalEnd;

  static vfloat power(vfloat a) { return exp2_within(a * a * splat(kNormalPower)); }
  // G(-a) of a power of 1.
  static vfloat ratio(vfloat a) {
    const vfloat r = splat(1.0f) / fma(splat(kNormalStep), a, splat(1.0f));
    constexpr float kTerms[] = {FOVEA_NORMAL_TERMS};
    vfloat p = splat(kTerms[0]);
#pragma GCC unroll 8
    for (int i = 1; i < kNormalTerms; ++i) p = fma(p, r, splat(kTerms[i]));
    return p * r;
  }
  static vfloat below(vfloat a) { return power(a) * ratio(a); }
  static vfloat slope(vfloat a) { return power(a) * fma(splat(-kNormalDensity), a, ratio(a)); }
};

// The logistic function of u(a), where u is odd.
template <typename Argument>
struct LogisticTail {
  static constexpr float kEnd = Argument::kEnd;

  static vfloat power(vfloat a) { return exp2_within(Argument::of(a) * splat(-kLog2e)); }
  static vfloat high(vfloat a) { return splat(1.0f) / (splat(1.0f) + power(a)); }
  static vfloat below(vfloat a) { return power(a) * high(a); }
  static vfloat slope(vfloat a) {
    return below(a) * fma(-a * Argument::slope(a), high(a), splat(1.0f));
  }
};

struct OfItself {
  static constexpr float kEnd = kLogisticEnd;

  static vfloat of(vfloat a) { return a; }
  static vfloat slope(vfloat) { return splat(1.0f); }
};

// 2 sqrt(2 / pi) (a + 0.044715 a^3).
struct Cubic {
  static constexpr float kEnd = kCubicEnd;

  static vfloat of(vfloat a) { return a * fma(splat(kCubicThird), a * a, splat(kCubicFirst)); }
  static vfloat slope(vfloat a) { return fma(splat(3 * kCubicThird), a * a, splat(kCubicFirst)); }
};

using Gelu = Weighted<NormalTail>;
using GeluTanh = Weighted<LogisticTail<Cubic>>;
using Silu = Weighted<LogisticTail<OfItself>>;

// Calls body(F{}) with the function that a FOVEA_ACTIVATION_* names.
template <typename Body>
inline void with_function(int32_t function, Body body) {
  switch (function) {
    case FOVEA_ACTIVATION_IDENTITY:
      return body(Identity{});
    case FOVEA_ACTIVATION_RELU:
      return body(Relu{});
    case FOVEA_ACTIVATION_GELU:
      return body(Gelu{});
    case FOVEA_ACTIVATION_GELU_TANH:
      return body(GeluTanh{});
    case FOVEA_ACTIVATION_SILU:
      return body(Silu{});
    case FOVEA_ACTIVATION_SIGMOID:
      return body(Sigmoid{});
    default:
      return body(Tanh{});
  }
}

}  // namespace fovea::activation::cpu::FOVEA_TIER
