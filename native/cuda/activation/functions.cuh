// The functions and their derivatives, as cpu/activation/functions.h has them.
#pragma once

#include "core/constants.h"
#include "cuda/sigmoid.cuh"
#include "fovea.h"
#include "ops/activation/tails.h"

namespace fovea::activation::cuda {

// NaN where z is.
FOVEA_DEVICE float relu(float z) { return z <= 0 ? 0.0f : z; }

struct Identity {
  static FOVEA_DEVICE float value(float z) { return z; }
  static FOVEA_DEVICE float slope(float) { return 1; }
};

struct Relu {
  static FOVEA_DEVICE float value(float z) { return relu(z); }
  static FOVEA_DEVICE float slope(float z) { return z > 0 ? 1.0f : z <= 0 ? 0.0f : z; }
};

struct Sigmoid {
  static FOVEA_DEVICE float value(float z) { return fovea::cuda::sigmoid(z); }
  static FOVEA_DEVICE float slope(float z) { return fovea::cuda::sigmoid_slope(z); }
};

struct Tanh {
  static FOVEA_DEVICE float value(float z) { return tile::tanh_accurate(z); }
  static FOVEA_DEVICE float slope(float z) { return 4 * fovea::cuda::sigmoid_slope(z + z); }
};

// z G(z), from the tail of G at -|z|.
template <typename Tail>
struct Weighted {
  static FOVEA_DEVICE float distance(float z) {
    return tile::minimum_or_nan(__builtin_fabsf(z), Tail::kEnd);
  }
  static FOVEA_DEVICE float value(float z) {
    const float a = distance(z);
    return tile::fused_multiply_add(-a, Tail::below(a), relu(z));
  }
  static FOVEA_DEVICE float slope(float z) {
    const float w = Tail::slope(distance(z));
    return z < 0 ? w : 1 - w;
  }
};

struct NormalTail {
  static constexpr float kEnd = kNormalEnd;

  static FOVEA_DEVICE float power(float a) { return tile::exp2_approx(a * a * kNormalPower); }
  static FOVEA_DEVICE float ratio(float a) {
    const float r = tile::reciprocal_approx(tile::fused_multiply_add(kNormalStep, a, 1.0f));
    constexpr float kTerms[] = {FOVEA_NORMAL_TERMS};
    float p = kTerms[0];
    FOVEA_UNROLL
    for (int i = 1; i < kNormalTerms; ++i) p = tile::fused_multiply_add(p, r, kTerms[i]);
    return p * r;
  }
  static FOVEA_DEVICE float below(float a) { return power(a) * ratio(a); }
  static FOVEA_DEVICE float slope(float a) {
    return power(a) * tile::fused_multiply_add(-kNormalDensity, a, ratio(a));
  }
};

template <typename Argument>
struct LogisticTail {
  static constexpr float kEnd = Argument::kEnd;

  static FOVEA_DEVICE float power(float a) { return tile::exp2_approx(Argument::of(a) * -kLog2e); }
  static FOVEA_DEVICE float high(float a) { return tile::reciprocal_approx(1 + power(a)); }
  static FOVEA_DEVICE float below(float a) { return power(a) * high(a); }
  static FOVEA_DEVICE float slope(float a) {
    return below(a) * tile::fused_multiply_add(-a * Argument::slope(a), high(a), 1.0f);
  }
};

struct OfItself {
  static constexpr float kEnd = kLogisticEnd;

  static FOVEA_DEVICE float of(float a) { return a; }
  static FOVEA_DEVICE float slope(float) { return 1; }
};

struct Cubic {
  static constexpr float kEnd = kCubicEnd;

  static FOVEA_DEVICE float of(float a) {
    return a * tile::fused_multiply_add(kCubicThird, a * a, kCubicFirst);
  }
  static FOVEA_DEVICE float slope(float a) {
    return tile::fused_multiply_add(3 * kCubicThird, a * a, kCubicFirst);
  }
};

using Gelu = Weighted<NormalTail>;
using GeluTanh = Weighted<LogisticTail<Cubic>>;
using Silu = Weighted<LogisticTail<OfItself>>;

// Calls body(F{}) with the function that a FOVEA_ACTIVATION_* names.
template <typename Body>
FOVEA_DEVICE void with_function(int32_t function, Body body) {
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

}  // namespace fovea::activation::cuda
