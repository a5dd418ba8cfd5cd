// The matrix products of one warp, in every precision. Factors lie in swizzled tiles of shared memory, by rows, or
// the first in registers, where it may be the sums of another product; sums lie in registers.
#pragma once

#include <type_traits>

#include "tile/convert.cuh"
#include "tile/fragment.cuh"
#include "tile/mma.cuh"
#include "tile/precision.h"

namespace fovea::tile {

template <Precision kPrecision>
constexpr bool kIsHalf = is_half(kPrecision);

template <Precision kPrecision>
struct PrecisionTypes {
  using Half = std::conditional_t<kPrecision == Precision::kFloat16, float16, bfloat16>;
  using Element = std::conditional_t<kIsHalf<kPrecision>, Half,
                                     std::conditional_t<kPrecision == Precision::kFloat8, float8_e4m3, float>>;
  using Factor = std::conditional_t<kIsHalf<kPrecision>, Half, Tf32>;
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
        value[i] = round_to_tf32(value[i]);
      } else if constexpr (kPrecision == Precision::kFloat32) {
        split_tf32<kAll>(value[i], rest[i]);
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
FOVEA_DEVICE void multiply(Fragment<kM, kColumns>& c, int first, const Factors<kPrecision, kA>& a,
                           const Factors<kPrecision, kB>& b) {
  using Factor = typename PrecisionTypes<kPrecision>::Factor;
  if constexpr (kPrecision != Precision::kFloat32) {
    mma<Factor>(c, first, a.value, b.value);
  } else {
    Fragment<kM, kB / 2> sums = {};
    mma<Factor>(sums, 0, a.rest, b.value);
    mma<Factor>(sums, 0, a.value, b.rest);
    mma<Factor>(sums, 0, a.value, b.value);
    each_element<kM, kB / 2>([&](int i, int j, int e) { c[i][first + j][e] += sums[i][j][e]; });
  }
}

// Pieces of c that one call of multiply takes, whose operands are in registers at the same time.
// kFloat32 needs three times as many for each.
template <Precision kPrecision, int kColumns>
constexpr int kColumnGroup = kPrecision == Precision::kFloat32 || kColumns % 4 != 0 ? 2 : 4;

// As multiply_rows, of factors that are prepared so; kAdds: to what is there.
template <Precision kPrecision, bool kAll, bool kAdds, int kRowBytes, int kM, int kColumns>
FOVEA_DEVICE void multiply_prepared(Fragment<kM, kColumns>& s, uint32_t left, uint32_t row,
                                    uint32_t right) {
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  static_assert(kColumns % kGroup == 0 && kGroup % 2 == 0);
  sync_warp();  // ldmatrix and mma are .aligned, and what came before may have parted the threads
  // Kept from tile to tile it is one register too many for 16 bits, for rows of 256 floats (72 bytes of
  // spills on sm_100) and of 128 (24 on sm_120).
  constexpr bool kAnew = kIsHalf<kPrecision> || kRowBytes >= 512;
  const uint32_t lane = (kAnew ? thread_anew() : thread_index()) % kWarp;
  // Where this thread's rows of the operands' first pieces lie.
  const uint32_t left_address = left + Swizzle::offset(row + lane % 16, lane / 16);
  const uint32_t right_address = right + Swizzle::offset(lane / 16 * 8 + lane % 8, lane / 8 % 2);
  if constexpr (!kAdds) change(s, [](float) { return 0.0f; });
  FOVEA_UNROLL_BY(kPrecision == Precision::kFloat32 ? 1 : kRowBytes / 32)
  for (int step = 0; step < kRowBytes / 32; ++step) {
    Factors<kPrecision, 4 * kM> a;
    uint32_t a_addresses[kM];
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      a_addresses[i] = Swizzle::move(left_address, 2 * step) + 16 * i * Swizzle::kRowBytes;
    }
    load_matrices<kM>(a.value, a_addresses);
    a.template prepare<kAll>();
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      uint32_t b_addresses[kGroup / 2];
      FOVEA_UNROLL
      for (int j = 0; j < kGroup / 2; ++j) {
        b_addresses[j] =
            Swizzle::move(right_address, 2 * step) + (8 * first + 16 * j) * Swizzle::kRowBytes;
      }
      load_matrices<kGroup / 2>(b.value, b_addresses);
      b.template prepare<kAll>();
      multiply(s, first, a, b);
    }
  }
}

// s = left * right^T, both by rows of kRowBytes, for the warp's rows of left, which begin at `row`. A step of
// k takes 32 bytes of a row in either kind of factor, so that 16 bits and TF32 have one code.
//
// Infinities, and numbers that round to them, cost kFloat32 a second product, since to expect them of
// every factor would be 7 % of the instructions at D 64.
template <Precision kPrecision, int kRowBytes, int kM, int kColumns>
FOVEA_DEVICE void multiply_rows(Fragment<kM, kColumns>& s, uint32_t left, uint32_t row,
                                uint32_t right) {
  multiply_prepared<kPrecision, false, false, kRowBytes>(s, left, row, right);
  if constexpr (kPrecision == Precision::kFloat32) {
    if (any_nan(s)) multiply_prepared<kPrecision, true, false, kRowBytes>(s, left, row, right);
  }
}

// The same added to s, whatever the factors are.
template <Precision kPrecision, int kRowBytes, int kM, int kColumns>
FOVEA_DEVICE void add_rows(Fragment<kM, kColumns>& s, uint32_t left, uint32_t row, uint32_t right) {
  multiply_prepared<kPrecision, true, true, kRowBytes>(s, left, row, right);
}

// One step of k, of 16 bits: out += a * 16 rows, which are transposed on their way to registers. `address`: where
// this thread's part of the first step's rows lies.
template <Precision kPrecision, int kRowBytes, int kM, int kColumns>
FOVEA_DEVICE void add_half_rows(Fragment<kM, kColumns>& out, const Factors<kPrecision, 4 * kM>& a,
                                uint32_t address, int step) {
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  FOVEA_UNROLL
  for (int first = 0; first < kColumns; first += kGroup) {
    Factors<kPrecision, 2 * kGroup> b;
    uint32_t addresses[kGroup / 2];
    FOVEA_UNROLL
    for (int j = 0; j < kGroup / 2; ++j) {
      addresses[j] = Swizzle::move(address, first + 2 * j) + 16 * step * Swizzle::kRowBytes;
    }
    load_matrices<kGroup / 2, true>(b.value, addresses);
    multiply(out, first, a, b);
  }
}

// out += p * rows for the pieces of eight columns from `first_column` on, a multiple of 8, where p is a
// fragment and `rows` has one of kRowBytes for each of its columns. 16 bits: p is rounded and packed.
template <Precision kPrecision, int kRowBytes, int kM, int kDepthPieces, int kColumns>
FOVEA_DEVICE void add_weighted_rows_half(Fragment<kM, kColumns>& out,
                                         const Fragment<kM, kDepthPieces>& p, uint32_t rows,
                                         uint32_t first_column) {
  using Element = typename PrecisionTypes<kPrecision>::Element;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  const uint32_t lane = thread_anew() % kWarp;
  const uint32_t address = rows + Swizzle::offset(lane % 16, first_column + lane / 16);
  FOVEA_UNROLL
  for (int step = 0; step < kDepthPieces / 2; ++step) {
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const float(&from)[4] = p[i][2 * step + e / 2];
        a.value[4 * i + e] = pack<Element>(from[e % 2 * 2], from[e % 2 * 2 + 1]);
      }
    }
    add_half_rows<kPrecision, kRowBytes>(out, a, address, step);
  }
}

// The same in TF32. The sum may run in any order, so what a thread holds in
// p as column 2t is taken for k = t, and column 2t + 1 for k = t + 4: then p is an operand as it is.
template <Precision kPrecision, bool kAll, int kRowBytes, int kM, int kDepthPieces, int kColumns>
FOVEA_DEVICE void add_weighted_rows_float(Fragment<kM, kColumns>& out,
                                          const Fragment<kM, kDepthPieces>& p, uint32_t rows,
                                          uint32_t first_column) {
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  // Anew as in multiply_prepared; kept, rows of 256 floats cost 32 bytes of spills on sm_100.
  const uint32_t lane = (kRowBytes >= 512 ? thread_anew() : thread_index()) % kWarp;
  const uint32_t g = lane / 4, t = lane % 4;
  const uint32_t address[2] = {
      rows + Swizzle::offset(2 * t, 2 * first_column + g / 4) + g % 4 * 4,
      rows + Swizzle::offset(2 * t + 1, 2 * first_column + g / 4) + g % 4 * 4};
  FOVEA_UNROLL
  for (int step = 0; step < kDepthPieces; ++step) {
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) a.value[4 * i + e] = as_bits(p[i][step][e % 2 * 2 + e / 2]);
    }
    a.template prepare<kAll>();
    sync_warp();  // keeps ptxas from loading rows earlier: 92 bytes of spills on sm_100
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      FOVEA_UNROLL
      for (int j = 0; j < 2 * kGroup; ++j) {
        b.value[j] = load_shared(Swizzle::move(address[j % 2], 2 * (first + j / 2)) +
                                 8 * step * Swizzle::kRowBytes);
      }
      b.template prepare<true>();
      multiply(out, first, a, b);
    }
  }
}

// kAll: p may be whatever it is. Weights are finite, and far from where they would round to infinity.
template <Precision kPrecision, bool kAll, int kRowBytes, int kM, int kDepthPieces, int kColumns>
FOVEA_DEVICE void add_weighted_rows(Fragment<kM, kColumns>& out,
                                    const Fragment<kM, kDepthPieces>& p, uint32_t rows,
                                    uint32_t first_column) {
  sync_warp();
  if constexpr (kIsHalf<kPrecision>) {
    add_weighted_rows_half<kPrecision, kRowBytes>(out, p, rows, first_column);
  } else {
    add_weighted_rows_float<kPrecision, kAll, kRowBytes>(out, p, rows, first_column);
  }
}

// A fragment to shared memory, rounded as a product takes it: for each of its rows a row of kStoredBytes, from
// `first_row` on.
template <Precision kPrecision, int kStoredBytes, int kM, int kColumns>
FOVEA_DEVICE void store_factors(uint32_t to, const Fragment<kM, kColumns>& f, uint32_t first_row) {
  using Element = typename PrecisionTypes<kPrecision>::Element;
  using Stored = tile::Swizzle<kStoredBytes / 16>;
  const uint32_t lane = thread_anew() % kWarp, t = lane % 4;
  const uint32_t row = first_row + lane / 4;
  constexpr int kChunks = kIsHalf<kPrecision> ? 1 : 2;  // of eight columns
  const uint32_t address = to + (kIsHalf<kPrecision> ? Stored::offset(row, 0) + 4 * t
                                                     : Stored::offset(row, t / 2) + t % 2 * 8);
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    const uint32_t piece = Stored::move(address, kChunks * j);
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        const uint32_t at = piece + (16 * i + 8 * h) * kStoredBytes;
        const float x = f[i][j][2 * h], y = f[i][j][2 * h + 1];
        if constexpr (kIsHalf<kPrecision>) {
          store_shared(at, pack<Element>(x, y));
        } else {
          store_shared_pair(at, as_bits(x), as_bits(y));
        }
      }
    }
  }
}

// out += p^T * rows, where p lies in shared memory: a row of kStoredBytes for each of kDepth rows, in which the
// rows of out begin at `first_row`.
template <Precision kPrecision, int kStoredBytes, int kRowBytes, int kDepth, int kM, int kColumns>
FOVEA_DEVICE void add_transposed_product_half(Fragment<kM, kColumns>& out, uint32_t p,
                                              uint32_t first_row, uint32_t rows,
                                              uint32_t first_column) {
  using Stored = tile::Swizzle<kStoredBytes / 16>;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  const uint32_t lane = thread_anew() % kWarp;
  const uint32_t address = rows + Swizzle::offset(lane % 16, first_column + lane / 16);
  uint32_t p_address[kM];
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    p_address[i] =
        p + Stored::offset(lane / 16 * 8 + lane % 8, first_row / 8 + 2 * i + lane / 8 % 2);
  }
  FOVEA_UNROLL
  for (int step = 0; step < kDepth / 16; ++step) {
    Factors<kPrecision, 4 * kM> a;
    uint32_t a_addresses[kM];
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) a_addresses[i] = p_address[i] + 16 * step * Stored::kRowBytes;
    load_matrices<kM, true>(a.value, a_addresses);
    add_half_rows<kPrecision, kRowBytes>(out, a, address, step);
  }
}

// The same in TF32, summed in the order of add_weighted_rows_float.
template <Precision kPrecision, int kStoredBytes, int kRowBytes, int kDepth, int kM, int kColumns>
FOVEA_DEVICE void add_transposed_product_float(Fragment<kM, kColumns>& out, uint32_t p,
                                               uint32_t first_row, uint32_t rows,
                                               uint32_t first_column) {
  using Stored = tile::Swizzle<kStoredBytes / 16>;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  const uint32_t lane = thread_index() % kWarp;
  const uint32_t g = lane / 4, t = lane % 4;
  FOVEA_NO_UNROLL
  for (int step = 0; step < kDepth / 8; ++step) {
    const uint32_t k = 8 * step + 2 * t;
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const uint32_t row = first_row + 16 * i + 8 * (e % 2) + g;
        a.value[4 * i + e] = load_shared(p + Stored::offset(k + e / 2, row / 4) + row % 4 * 4);
      }
    }
    a.template prepare<true>();
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      FOVEA_UNROLL
      for (int j = 0; j < 2 * kGroup; ++j) {
        const uint32_t column = 8 * (first_column + first + j / 2) + g;
        b.value[j] = load_shared(rows + Swizzle::offset(k + j % 2, column / 4) + column % 4 * 4);
      }
      b.template prepare<true>();
      multiply(out, first, a, b);
    }
  }
}

template <Precision kPrecision, int kStoredBytes, int kRowBytes, int kDepth, int kM, int kColumns>
FOVEA_DEVICE void add_transposed_product(Fragment<kM, kColumns>& out, uint32_t p,
                                         uint32_t first_row, uint32_t rows, uint32_t first_column) {
  sync_warp();
  if constexpr (kIsHalf<kPrecision>) {
    add_transposed_product_half<kPrecision, kStoredBytes, kRowBytes, kDepth>(out, p, first_row,
                                                                             rows, first_column);
  } else {
    add_transposed_product_float<kPrecision, kStoredBytes, kRowBytes, kDepth>(out, p, first_row,
                                                                              rows, first_column);
  }
}

// out += left * rows, where left lies in shared memory: rows of kLeftBytes, from `row` on, of kDepth elements,
// and `rows` has one for each of these.
template <Precision kPrecision, int kLeftBytes, int kRowBytes, int kDepth, int kM, int kColumns>
FOVEA_DEVICE void add_product_half(Fragment<kM, kColumns>& out, uint32_t left, uint32_t row,
                                   uint32_t rows, uint32_t first_column) {
  using Left = tile::Swizzle<kLeftBytes / 16>;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  const uint32_t lane = thread_anew() % kWarp;
  const uint32_t left_address = left + Left::offset(row + lane % 16, lane / 16);
  const uint32_t address = rows + Swizzle::offset(lane % 16, first_column + lane / 16);
  FOVEA_UNROLL
  for (int step = 0; step < kDepth / 16; ++step) {
    Factors<kPrecision, 4 * kM> a;
    uint32_t a_addresses[kM];
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      a_addresses[i] = Left::move(left_address, 2 * step) + 16 * i * Left::kRowBytes;
    }
    load_matrices<kM>(a.value, a_addresses);
    add_half_rows<kPrecision, kRowBytes>(out, a, address, step);
  }
}

// The same in TF32, summed in the order of add_weighted_rows_float.
template <Precision kPrecision, int kLeftBytes, int kRowBytes, int kDepth, int kM, int kColumns>
FOVEA_DEVICE void add_product_float(Fragment<kM, kColumns>& out, uint32_t left, uint32_t row,
                                    uint32_t rows, uint32_t first_column) {
  using Left = tile::Swizzle<kLeftBytes / 16>;
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  constexpr int kGroup = kColumnGroup<kPrecision, kColumns>;
  const uint32_t lane = thread_index() % kWarp;
  const uint32_t g = lane / 4, t = lane % 4;
  FOVEA_NO_UNROLL
  for (uint32_t step = 0; step < kDepth / 8; ++step) {
    Factors<kPrecision, 4 * kM> a;
    FOVEA_UNROLL
    for (uint32_t i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (uint32_t h = 0; h < 2; ++h) {
        const uint32_t at = Left::offset(row + 16 * i + 8 * h + g, 2 * step + t / 2) + t % 2 * 8;
        load_shared_pair(left + at, a.value[4 * i + h], a.value[4 * i + 2 + h]);
      }
    }
    a.template prepare<true>();
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kGroup) {
      Factors<kPrecision, 2 * kGroup> b;
      FOVEA_UNROLL
      for (int j = 0; j < 2 * kGroup; ++j) {
        const uint32_t column = 8 * (first_column + first + j / 2) + g;
        b.value[j] = load_shared(rows + Swizzle::offset(8 * step + 2 * t + j % 2, column / 4) +
                                 column % 4 * 4);
      }
      b.template prepare<true>();
      multiply(out, first, a, b);
    }
  }
}

template <Precision kPrecision, int kLeftBytes, int kRowBytes, int kDepth, int kM, int kColumns>
FOVEA_DEVICE void add_product(Fragment<kM, kColumns>& out, uint32_t left, uint32_t row,
                              uint32_t rows, uint32_t first_column) {
  sync_warp();
  if constexpr (kIsHalf<kPrecision>) {
    add_product_half<kPrecision, kLeftBytes, kRowBytes, kDepth>(out, left, row, rows, first_column);
  } else {
    add_product_float<kPrecision, kLeftBytes, kRowBytes, kDepth>(out, left, row, rows,
                                                                 first_column);
  }
}

}  // namespace fovea::tile
