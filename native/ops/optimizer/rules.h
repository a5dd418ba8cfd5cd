// The rules, once for all backends: the order of roundings is that of fovea.h.
//
// `A` is the arithmetic of a backend: Float, of one parameter or of several side by side; multiply(x, y), of
// which y may be a float for all, rounded by itself; square_root and sign.
#pragma once

#include "ops/optimizer/operands.h"

// A kernel of a GPU calls them, or one of the host, never both.
#ifdef __CUDACC__
#define FOVEA_RULE __device__ __forceinline__
#else
#define FOVEA_RULE inline
#endif

namespace fovea::optimizer {

// What a spec says to its kernels.
struct Options {
  int32_t rule;
  bool momentum, nesterov;
  float beta1, beta2, epsilon, weight_decay;
};

inline Options options_of(const Spec& spec) {
  const bool momentum = spec.rule == FOVEA_SGD && spec.beta1 > 0;
  return {spec.rule,  momentum,     spec.nesterov != 0, spec.beta1,
          spec.beta2, spec.epsilon, spec.weight_decay};
}

// What is alike for all parameters of a step.
template <typename A>
struct Factors {
  Options options;
  float rate, square_factor, gradient_factor;  // of rates
  float rest1, rest2, keep, step;

  FOVEA_RULE Factors(const Options& of, float rate, float mean_factor, float square_factor,
                     float gradient_factor)
      : options(of),
        rate(rate),
        square_factor(square_factor),
        gradient_factor(gradient_factor),
        rest1(1 - of.beta1),
        rest2(1 - of.beta2),
        keep(1 - A::multiply(rate, of.weight_decay)),
        step(A::multiply(rate, mean_factor)) {}
};

template <typename A>
struct State {
  typename A::Float parameter, mean, square;
};

struct Sgd {
  static constexpr bool kMean = false, kSquare = false;

  template <typename A>
  FOVEA_RULE static void step(const Factors<A>& f, typename A::Float gradient, State<A>& s) {
    auto g = A::multiply(gradient, f.gradient_factor);
    if (f.options.weight_decay != 0) g = g + A::multiply(s.parameter, f.options.weight_decay);
    s.parameter = s.parameter - A::multiply(g, f.rate);
  }
};

struct Momentum {
  static constexpr bool kMean = true, kSquare = false;

  template <typename A>
  FOVEA_RULE static void step(const Factors<A>& f, typename A::Float gradient, State<A>& s) {
    auto g = A::multiply(gradient, f.gradient_factor);
    if (f.options.weight_decay != 0) g = g + A::multiply(s.parameter, f.options.weight_decay);
    s.mean = A::multiply(s.mean, f.options.beta1) + g;
    const auto way = f.options.nesterov ? g + A::multiply(s.mean, f.options.beta1) : s.mean;
    s.parameter = s.parameter - A::multiply(way, f.rate);
  }
};

struct AdamW {
  static constexpr bool kMean = true, kSquare = true;

  template <typename A>
  FOVEA_RULE static void step(const Factors<A>& f, typename A::Float gradient, State<A>& s) {
    const auto g = A::multiply(gradient, f.gradient_factor);
    s.mean = A::multiply(s.mean, f.options.beta1) + A::multiply(g, f.rest1);
    s.square = A::multiply(s.square, f.options.beta2) + A::multiply(A::multiply(g, f.rest2), g);
    const auto root = A::square_root(A::multiply(s.square, f.square_factor)) + f.options.epsilon;
    s.parameter = A::multiply(s.parameter, f.keep) - A::multiply(s.mean, f.step) / root;
  }
};

struct Lion {
  static constexpr bool kMean = true, kSquare = false;

  template <typename A>
  FOVEA_RULE static void step(const Factors<A>& f, typename A::Float gradient, State<A>& s) {
    const auto g = A::multiply(gradient, f.gradient_factor);
    const auto way = A::sign(A::multiply(s.mean, f.options.beta1) + A::multiply(g, f.rest1));
    s.parameter = A::multiply(s.parameter, f.keep) - A::multiply(way, f.rate);
    s.mean = A::multiply(s.mean, f.options.beta2) + A::multiply(g, f.rest2);
  }
};

// Calls body with the rule that a spec names.
template <typename Body>
FOVEA_RULE void with_rule(const Options& options, Body body) {
  if (options.rule == FOVEA_ADAMW) {
    body(AdamW{});
  } else if (options.rule == FOVEA_LION) {
    body(Lion{});
  } else if (options.momentum) {
    body(Momentum{});
  } else {
    body(Sgd{});
  }
}

}  // namespace fovea::optimizer
