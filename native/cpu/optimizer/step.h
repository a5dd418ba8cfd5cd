// The kernel of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER. Memory bounds
// it, so eight parameters at a time do on every tier.
#pragma once

#include "cpu/optimizer/plan.h"
#include "cpu/stream.h"
#include "ops/optimizer/rules.h"

namespace fovea::optimizer::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

constexpr int64_t kStep = 8;
// Parameters that are stepped before they are rounded to out, which reads them again: of L1.
constexpr int64_t kBlock = 1024;

// No product is fused with a sum: the compiler may not, and nothing here asks for it.
struct Eight {
  using Float = float8;

  static float multiply(float x, float y) { return x * y; }
  static float8 multiply(float8 x, float y) { return x * y; }
  static float8 multiply(float8 x, float8 y) { return x * y; }

  static float8 square_root(float8 x) {
#if defined(__AVX2__)
    return _mm256_sqrt_ps(x);
#else
    return sqrt(x);
#endif
  }

  static float8 sign(float8 x) {
    const int8 bits = bits8(x), magnitude = bits & INT32_MAX;
    const int8 same = ((magnitude - 1) | (0x7f800000 - magnitude)) >> 31;  // 0 or NaN
    const int8 one = (bits & INT32_MIN) | 0x3f800000;
    return from_bits8((same & bits) | (~same & one));
  }
};

// From one parameter on; null where its rule has no such state.
template <typename T>
struct Row {
  const T* gradient;
  float *parameter, *mean, *square;
};

template <typename Rule, typename T>
inline void step8(const Factors<Eight>& factors, const Row<T>& row, int64_t at) {
  State<Eight> s = {load8(row.parameter + at), {}, {}};
  if constexpr (Rule::kMean) s.mean = load8(row.mean + at);
  if constexpr (Rule::kSquare) s.square = load8(row.square + at);
  Rule::step(factors, load8(row.gradient + at), s);
  store8(row.parameter + at, s.parameter);
  if constexpr (Rule::kMean) store8(row.mean + at, s.mean);
  if constexpr (Rule::kSquare) store8(row.square + at, s.square);
}

// A block ahead, which no processor foresees: plain SGD 0.85 of a copy without it, 1.05 with it, the others
// a tenth to a fifth faster.
template <typename Rule, typename T>
inline void prefetch(const Row<T>& row, int64_t at) {
  __builtin_prefetch(row.gradient + at + kBlock);
  __builtin_prefetch(row.parameter + at + kBlock);
  if constexpr (Rule::kMean) __builtin_prefetch(row.mean + at + kBlock);
  if constexpr (Rule::kSquare) __builtin_prefetch(row.square + at + kBlock);
}

template <typename Rule, typename T>
[[gnu::noinline]] void step_row(const Factors<Eight>& given, const Row<T>& row, int64_t count) {
  const Factors<Eight> factors = given;  // which no store changes
  int64_t at = 0;
  for (; at + 2 * kStep <= count; at += 2 * kStep) {
    prefetch<Rule>(row, at);
    step8<Rule>(factors, row, at);
    step8<Rule>(factors, row, at + kStep);
  }
  for (; at + kStep <= count; at += kStep) step8<Rule>(factors, row, at);
  if (at == count) return;
  T gradient[kStep] = {};
  float states[3][kStep] = {};
  float* const all[] = {row.parameter, row.mean, row.square};
  const bool there[] = {true, Rule::kMean, Rule::kSquare};
  const size_t rest = size_t(count - at);
  std::memcpy(gradient, row.gradient + at, rest * sizeof(T));
  for (int i = 0; i < 3; ++i) {
    if (there[i]) std::memcpy(states[i], all[i] + at, rest * sizeof(float));
  }
  step8<Rule>(factors, Row<T>{gradient, states[0], states[1], states[2]}, 0);
  for (int i = 0; i < 3; ++i) {
    if (there[i]) std::memcpy(all[i] + at, states[i], rest * sizeof(float));
  }
}

template <typename T>
[[gnu::noinline]] void round_row(const float* from, T* to, int64_t count, bool streams) {
  int64_t at = 0;
  if (streams && reinterpret_cast<uintptr_t>(to) % 64 == 0) {
    for (; at + 2 * kStep <= count; at += 2 * kStep) {
      stream16(to + at, load8(from + at), load8(from + at + kStep));
    }
  }
  for (; at + kStep <= count; at += kStep) store8(to + at, load8(from + at));
  for (; at < count; ++at) to[at] = from_float<T>(from[at]);
}

inline float* moved(float* p, int64_t by) { return p == nullptr ? p : p + by; }

template <typename Rule, typename T, typename O>
void run_tile(const Spec& spec, const ForwardOperands& o, const Factors<Eight>& factors, const Tile& tile,
              bool streams) {
  for (int64_t row = tile.row; row < tile.row_end; ++row) {
    for (int64_t at = tile.first; at < tile.end; at += kBlock) {
      const int64_t count = std::min(kBlock, tile.end - at);
      step_row<Rule>(factors,
                     Row<T>{static_cast<const T*>(o.gradient) + row * spec.gradient_stride[0] + at,
                            o.parameter + row * spec.parameter_stride[0] + at,
                            moved(o.mean, row * spec.mean_stride[0] + at),
                            moved(o.square, row * spec.square_stride[0] + at)},
                     count);
      if (o.out == nullptr) continue;
      round_row(o.parameter + row * spec.parameter_stride[0] + at,
                static_cast<O*>(o.out) + row * spec.out_stride[0] + at, count, streams);
    }
  }
}

void run_items(const backend::Run& run, const fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& o = *static_cast<const ForwardOperands*>(run.operands);
  const Factors<Eight> factors(options_of(spec), o.rates[0], o.rates[1], o.rates[2], o.rates[3]);
  const bool streams =
      spec.has_out && spec.batch * spec.count * element_bytes(spec.out_dtype) >= kStreamedBytes;
  with_type(spec.dtype, [&](auto gradient) {
    with_type(spec.out_dtype, [&](auto out) {
      with_rule(factors.options, [&](auto rule) {
        for (int64_t item = call.begin; item < call.end; ++item) {
          run_tile<decltype(rule), decltype(gradient), decltype(out)>(
              spec, o, factors, tile_of(run.plan, item), streams);
        }
      });
    });
  });
  if (streams) end_streams();
}

}  // namespace fovea::optimizer::cpu::FOVEA_TIER
