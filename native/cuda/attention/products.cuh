// The two matrix products of attention for one warp: scores = query * key^T and out += weights *
// value, in every precision. Operands lie in swizzled tiles of shared memory, sums and weights in
// registers: the sums of the first product are, packed, the first operand of the second.
#pragma once

#include "cuda/attention/tiles.h"
#include "tile/convert.cuh"
#include "tile/fragment.cuh"
#include "tile/mma.cuh"

namespace fovea::attention::cuda {

template <Precision kPrecision>
constexpr bool kIsHalf = is_half(kPrecision);

template <Precision kPrecision>
struct Operands;

template <>
struct Operands<Precision::kFloat16> {
  using Element = float16;
  using Factor = float16;
};
template <>
struct Operands<Precision::kBfloat16> {
  using Element = bfloat16;
  using Factor = bfloat16;
};
template <>
struct Operands<Precision::kTf32> {
  using Element = float;
  using Factor = tile::Tf32;
};
template <>
struct Operands<Precision::kFloat32> {
  using Element = float;
  using Factor = tile::Tf32;
};

// A thread's part of an operand, as it came from memory until prepare(). For kFloat32, `value` and
// `rest` are two TF32 numbers each, whose sum is the factor.
template <Precision kPrecision, int kCount>
struct Factors {
  uint32_t value[kCount];
  uint32_t rest[kPrecision == Precision::kFloat32 ? kCount : 1];

  // kAll: whatever the numbers are. Otherwise products of kFloat32 are NaN where one rounds to infinity.
  template <bool kAll>
  FOVEA_DEVICE void prepare() {
    FOVEA_UNROLL
    for (int i = 0; i < kCount; ++i) {
      if constexpr (kPrecision == Precision::kTf32) {
        value[i] = tile::round_to_tf32(value[i]);
      } else if constexpr (kPrecision == Precision::kFloat32) {
        tile::split_tf32<kAll>(value[i], rest[i]);
      }
    }
  }
};

// One step of k: c[i][first + j] += a[i] * b[j], of prepared factors.
//
// kFloat32 adds three of the four products of its split factors: what is lost is at most 2^-21 of
// |a||b|, on average about 2^-24. The sum of one step starts at zero and joins c by an ordinary
// addition, because the tensor core truncates where it adds (Ootomo and Yokota, arXiv 2203.03341):
// left there, the error of a long sum would be a bias, not a random walk.
template <Precision kPrecision, int kM, int kColumns, int kA, int kB>
FOVEA_DEVICE void multiply(tile::Fragment<kM, kColumns>& c, int first,
                           const Factors<kPrecision, kA>& a, const Factors<kPrecision, kB>& b) {
  using Factor = typename Operands<kPrecision>::Factor;
  if constexpr (kPrecision != Precision::kFloat32) {
    tile::mma<Factor>(c, first, a.value, b.value);
  } else {
    tile::Fragment<kM, kB / 2> sums = {};
    tile::mma<Factor>(sums, 0, a.rest, b.value);
    tile::mma<Factor>(sums, 0, a.value, b.rest);
    tile::mma<Factor>(sums, 0, a.value, b.value);
    tile::each_element<kM, kB / 2>(
        [&](int i, int j, int e) { c[i][first + j][e] += sums[i][j][e]; });
  }
}

// Pieces of c that one call of multiply takes, whose operands are in registers at the same time.
// kFloat32 needs three times as many for each.
template <Precision kPrecision, int kColumns>
constexpr int kColumnGroup = kPrecision == Precision::kFloat32 || kColumns % 4 != 0 ? 2 : 4;

// As multiply_queries_keys, of factors that are prepared so.
template <Precision kPrecision, bool kAll, int kRowBytes, int kM, int kColumns>
FOVEA_DEVICE void multiply_prepared(tile::Fragment<kM, kColumns>& s, uint32_t queries, uint32_t row,
                                    uint32_t keys) {
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  static_assert(kColumns % kGroup == 0 && kGroup % 2 == 0);
  tile::sync_warp();  // ldmatrix and mma are .aligned, and what came before may have parted the threads
  // Kept from tile to tile it is one register too many for 16 bits and for rows of 256 floats (72 bytes of
  // spills on sm_100); made anew it is for rows of 128 (52 on sm_120).
  constexpr bool kAnew = kIsHalf<kPrecision> || kRowBytes == 1024;
  const uint32_t lane = (kAnew ? tile::thread_anew() : tile::thread_index()) % tile::kWarp;
  // Where this thread's rows of the operands' first pieces lie.
  const uint32_t query_address = queries + Swizzle::offset(row + lane % 16, lane / 16);
  const uint32_t key_address = keys + Swizzle::offset(lane / 16 * 8 + lane % 8, lane / 8 % 2);
  tile::change(s, [](float) { return 0.0f; });
  FOVEA_UNROLL_BY(kPrecision == Precision::kFloat32 ? 1 : kRowBytes / 32)
  for (int step = 0; step < kRowBytes / 32; ++step) {
    Factors<kPrecision, 4 * kM> a;
    uint32_t a_addresses[kM];
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      a_addresses[i] = Swizzle::move(query_address, 2 * step) + 16 * i * Swizzle::kRowBytes;
    }
    tile::load_matrices<kM>(a.value, a_addresses);
    a.template prepare<kAll>();
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      uint32_t b_addresses[kGroup / 2];
      FOVEA_UNROLL
      for (int j = 0; j < kGroup / 2; ++j) {
        b_addresses[j] =
            Swizzle::move(key_address, 2 * step) + (8 * first + 16 * j) * Swizzle::kRowBytes;
      }
      tile::load_matrices<kGroup / 2>(b.value, b_addresses);
      b.template prepare<kAll>();
      multiply(s, first, a, b);
    }
  }
}

// s = query * key^T for the warp's rows, which begin at the tile row `row`. A step of k takes 32
// bytes of a row in either kind of factor, so that 16 bits and TF32 have one code.
//
// Infinities, and numbers that round to them, cost kFloat32 a second product, since to expect them of
// every factor would be 7 % of the instructions at D 64.
template <Precision kPrecision, int kRowBytes, int kM, int kColumns>
FOVEA_DEVICE void multiply_queries_keys(tile::Fragment<kM, kColumns>& s, uint32_t queries, uint32_t row,
                                        uint32_t keys) {
  multiply_prepared<kPrecision, false, kRowBytes>(s, queries, row, keys);
  if constexpr (kPrecision == Precision::kFloat32) {
    if (tile::any_nan(s)) multiply_prepared<kPrecision, true, kRowBytes>(s, queries, row, keys);
  }
}

// out += p * value for the pieces of eight columns from `first_column` on, a multiple of 8.
// 16 bits: p is rounded and packed; values are transposed on their way to registers.
template <Precision kPrecision, int kRowBytes, int kM, int kKeyColumns, int kColumns>
FOVEA_DEVICE void multiply_weights_values_half(tile::Fragment<kM, kColumns>& out,
                                               const tile::Fragment<kM, kKeyColumns>& p,
                                               uint32_t values, uint32_t first_column) {
  using Element = typename Operands<kPrecision>::Element;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  const uint32_t lane = tile::thread_anew() % tile::kWarp;
  const uint32_t address = values + Swizzle::offset(lane % 16, first_column + lane / 16);
  FOVEA_UNROLL
  for (int step = 0; step < kKeyColumns / 2; ++step) {
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const float(&from)[4] = p[i][2 * step + e / 2];
        a.value[4 * i + e] = tile::pack<Element>(from[e % 2 * 2], from[e % 2 * 2 + 1]);
      }
    }
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      uint32_t addresses[kGroup / 2];
      FOVEA_UNROLL
      for (int j = 0; j < kGroup / 2; ++j) {
        addresses[j] = Swizzle::move(address, first + 2 * j) + 16 * step * Swizzle::kRowBytes;
      }
      tile::load_matrices<kGroup / 2, true>(b.value, addresses);
      multiply(out, first, a, b);
    }
  }
}

// The same in TF32. The sum over keys may run in any order, so the key that a thread holds in
// p as column 2t is taken for k = t, and column 2t + 1 for k = t + 4: then p is an operand as it is.
template <Precision kPrecision, bool kAll, int kRowBytes, int kM, int kKeyColumns, int kColumns>
FOVEA_DEVICE void multiply_weights_values_float(tile::Fragment<kM, kColumns>& out,
                                                const tile::Fragment<kM, kKeyColumns>& p,
                                                uint32_t values, uint32_t first_column) {
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  const uint32_t lane = tile::thread_index() % tile::kWarp;
  const uint32_t g = lane / 4, t = lane % 4;
  const uint32_t address[2] = {
      values + Swizzle::offset(2 * t, 2 * first_column + g / 4) + g % 4 * 4,
      values + Swizzle::offset(2 * t + 1, 2 * first_column + g / 4) + g % 4 * 4};
  FOVEA_UNROLL
  for (int step = 0; step < kKeyColumns; ++step) {
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) a.value[4 * i + e] = tile::as_bits(p[i][step][e % 2 * 2 + e / 2]);
    }
    a.template prepare<kAll>();
    tile::sync_warp();  // keeps ptxas from loading values earlier: 92 bytes of spills on sm_100
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      FOVEA_UNROLL
      for (int j = 0; j < 2 * kGroup; ++j) {
        b.value[j] = tile::load_shared(Swizzle::move(address[j % 2], 2 * (first + j / 2)) +
                                       8 * step * Swizzle::kRowBytes);
      }
      b.template prepare<true>();
      multiply(out, first, a, b);
    }
  }
}

// kAll: p may be whatever it is. Weights are finite, and far from where they would round to infinity.
template <Precision kPrecision, bool kAll, int kRowBytes, int kM, int kKeyColumns, int kColumns>
FOVEA_DEVICE void multiply_weights_values(tile::Fragment<kM, kColumns>& out,
                                          const tile::Fragment<kM, kKeyColumns>& p, uint32_t values,
                                          uint32_t first_column) {
  tile::sync_warp();
  if constexpr (kIsHalf<kPrecision>) {
    multiply_weights_values_half<kPrecision, kRowBytes>(out, p, values, first_column);
  } else {
    multiply_weights_values_float<kPrecision, kAll, kRowBytes>(out, p, values, first_column);
  }
}

// out += p * value where p lies in shared memory, transposed: a row of kStoredBytes for each of kKeys
// keys, in which the rows of out begin at `first_row`.
template <Precision kPrecision, int kStoredBytes, int kRowBytes, int kKeys, int kM, int kColumns>
FOVEA_DEVICE void multiply_stored_values_half(tile::Fragment<kM, kColumns>& out, uint32_t p,
                                              uint32_t first_row, uint32_t values,
                                              uint32_t first_column) {
  using Stored = tile::Swizzle<kStoredBytes / 16>;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  const uint32_t lane = tile::thread_anew() % tile::kWarp;
  const uint32_t address = values + Swizzle::offset(lane % 16, first_column + lane / 16);
  uint32_t p_address[kM];
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    p_address[i] =
        p + Stored::offset(lane / 16 * 8 + lane % 8, first_row / 8 + 2 * i + lane / 8 % 2);
  }
  FOVEA_UNROLL
  for (int step = 0; step < kKeys / 16; ++step) {
    Factors<kPrecision, 4 * kM> a;
    uint32_t a_addresses[kM];
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) a_addresses[i] = p_address[i] + 16 * step * Stored::kRowBytes;
    tile::load_matrices<kM, true>(a.value, a_addresses);
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      uint32_t addresses[kGroup / 2];
      FOVEA_UNROLL
      for (int j = 0; j < kGroup / 2; ++j) {
        addresses[j] = Swizzle::move(address, first + 2 * j) + 16 * step * Swizzle::kRowBytes;
      }
      tile::load_matrices<kGroup / 2, true>(b.value, addresses);
      multiply(out, first, a, b);
    }
  }
}

// The same in TF32, with keys in the order of multiply_weights_values_float.
template <Precision kPrecision, int kStoredBytes, int kRowBytes, int kKeys, int kM, int kColumns>
FOVEA_DEVICE void multiply_stored_values_float(tile::Fragment<kM, kColumns>& out, uint32_t p,
                                               uint32_t first_row, uint32_t values,
                                               uint32_t first_column) {
  using Stored = tile::Swizzle<kStoredBytes / 16>;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  const uint32_t lane = tile::thread_index() % tile::kWarp;
  const uint32_t g = lane / 4, t = lane % 4;
  FOVEA_NO_UNROLL
  for (int step = 0; step < kKeys / 8; ++step) {
    const uint32_t key = 8 * step + 2 * t;
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const uint32_t row = first_row + 16 * i + 8 * (e % 2) + g;
        a.value[4 * i + e] =
            tile::load_shared(p + Stored::offset(key + e / 2, row / 4) + row % 4 * 4);
      }
    }
    a.template prepare<true>();
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      FOVEA_UNROLL
      for (int j = 0; j < 2 * kGroup; ++j) {
        const uint32_t column = 8 * (first_column + first + j / 2) + g;
        b.value[j] =
            tile::load_shared(values + Swizzle::offset(key + j % 2, column / 4) + column % 4 * 4);
      }
      b.template prepare<true>();
      multiply(out, first, a, b);
    }
  }
}

template <Precision kPrecision, int kStoredBytes, int kRowBytes, int kKeys, int kM, int kColumns>
FOVEA_DEVICE void multiply_stored_values(tile::Fragment<kM, kColumns>& out, uint32_t p,
                                         uint32_t first_row, uint32_t values,
                                         uint32_t first_column) {
  tile::sync_warp();
  if constexpr (kIsHalf<kPrecision>) {
    multiply_stored_values_half<kPrecision, kStoredBytes, kRowBytes, kKeys>(out, p, first_row,
                                                                            values, first_column);
  } else {
    multiply_stored_values_float<kPrecision, kStoredBytes, kRowBytes, kKeys>(out, p, first_row,
                                                                             values, first_column);
  }
}

}  // namespace fovea::attention::cuda
