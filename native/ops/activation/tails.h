// Constants of the functions z G(z), of which every backend computes the lower tail G(-a), a = |z|.
#pragma once

namespace fovea::activation {

// gelu, with the normal distribution function:
//
//   G(-a) = exp(-a^2 / 2) r p(r), r = 1 / (1 + kNormalStep a)
//
// with p a minimax polynomial, that of the highest power first: relative error 8.4e-8, in exact arithmetic.
constexpr float kNormalStep = 0.304f;
#define FOVEA_NORMAL_TERMS                                                        \
  0.03685790479f, -0.1552965968f, 0.1921851656f, -0.04312687357f, 0.123552177f,   \
      0.1024228719f, 0.12217071f, 0.1212346817f
constexpr int kNormalTerms = 8;
constexpr float kNormalPower = -0.721347520444f;   // exp(-a^2 / 2) = 2^(kNormalPower a^2)
constexpr float kNormalDensity = 0.398942280401f;  // G'(0), 1 / sqrt(2 pi)

// gelu_tanh, with the logistic function of 2 sqrt(2 / pi) (a + 0.044715 a^3).
constexpr float kCubicFirst = 1.59576912161f, kCubicThird = 0.0713548162726f;

// From there on powers are 0 in float32, and an argument counts as that, lest an infinity meet a 0: 2^-126.5 and less
// are, and arguments of a power end at -127.
constexpr float kNormalEnd = 13.26f, kCubicEnd = 10.03f, kLogisticEnd = 88;

}  // namespace fovea::activation
