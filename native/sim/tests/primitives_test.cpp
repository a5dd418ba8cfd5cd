// Every primitive of the vocabulary against its definition.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "core/half.h"
#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"

namespace fovea::test {
namespace {

std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> all(count);
  for (float& x : all) x = float(int32_t(random())) * 0x1p-30f;
  return all;
}

template <typename T>
void check_shuffles() {
  std::vector<T> from(64), to(32 * 64);
  std::mt19937_64 random(1);
  for (T& x : from) x = T(int64_t(random() >> 12));
  run(
      {"shuffle", 2, 64, 0, {input(from, "from"), output(to, "to")}, {}},
      [&] { shuffle_kernel<64>(from.data(), to.data()); },
      [&] {
        for (uint32_t mask = 0; mask < 32; ++mask) {
          for (uint32_t t = 0; t < 64; ++t) CHECK_EQUAL(to[mask * 64 + t], from[t ^ mask]);
        }
      });
}

TEST(shuffle_xor) { check_shuffles<float>(); }
TEST(shuffle_xor_of_integers) { check_shuffles<int32_t>(); }
TEST(shuffle_xor_of_doubles) { check_shuffles<double>(); }

TEST(shuffle_from_a_lane) {
  std::vector<uint64_t> from(64), to(64);
  std::mt19937_64 random(2);
  for (uint64_t& x : from) x = random();
  run(
      {"shuffle", 2, 64, 0, {input(from, "from"), output(to, "to")}, {}},
      [&] { shuffle_from_kernel(from.data(), to.data()); },
      [&] {
        for (uint32_t t = 0; t < 64; ++t) CHECK_EQUAL(to[t], from[t / 32 * 32 + (5 * t + 3) % 32]);
      });
}

TEST(pairs) {
  const std::vector<uint32_t> from = {1, 2, 3, 4};
  std::vector<uint32_t> to(4);
  run(
      {"pairs", 1, 32, 0, {input(from, "from"), output(to, "to")}, {}},
      [&] {
        const uint32_t t = tile::thread_index();
        if (t > 1) return;
        uint32_t first, second;
        tile::load_pair(from.data() + 2 * t, first, second);
        tile::store_pair(to.data() + 2 * t, second, first);
      },
      [&] { CHECK(to == std::vector<uint32_t>({2, 1, 4, 3})); });
}

TEST(shuffle_any_and_ballot) {
  run(
      {"shuffle", 1, 64, 0, {}, {}},
      [&] {
        const uint32_t t = tile::thread_index();
        const sim::Where here = sim::Where::current();
        // Not CHECK: it counts, and threads do too.
        if (sim::shuffle(t, (t * 5 + 3) % 32, here) != t / 32 * 32 + (t * 5 + 3) % 32) {
          sim::fail("shuffle got the value of another lane", here);
        }
        for (uint32_t one = 0; one < 64; ++one) {
          if (sim::any(t == one, here) != (t / 32 == one / 32)) sim::fail("any is wrong", here);
          const uint32_t rest = t / 32 == one / 32 ? ~(1u << one % 32) : ~0u;
          if (sim::ballot(t != one, here) != rest) sim::fail("ballot is wrong", here);
        }
      },
      [] {});
}

TEST(quads) {
  std::vector<float> from = random_floats(64, 2);
  from[5] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> to(128);
  run(
      {"quad", 1, 64, 0, {input(from, "from"), output(to, "to")}, {}},
      [&] { quad_kernel<64>(from.data(), to.data()); },
      [&] {
        for (uint32_t t = 0; t < 64; ++t) {
          const float* const q = from.data() + t / 4 * 4;
          CHECK_EQUAL(to[t], std::fmax(std::fmax(q[0], q[1]), std::fmax(q[2], q[3])));
          const float sum = (q[0] + q[1]) + (q[2] + q[3]);
          CHECK(to[64 + t] == sum || (std::isnan(to[64 + t]) && t / 4 == 1));
        }
      });
}

template <int kBytes>
void check_copies() {
  std::mt19937 random(3);
  std::vector<uint32_t> words(2 * 128 * kBytes / 4), valid(2 * 128);
  for (uint32_t& word : words) word = random();
  for (uint32_t& bytes : valid) bytes = random() % 3 == 0 ? random() % kBytes : kBytes;
  valid[0] = 0;
  std::vector<uint32_t> expected = words;
  for (size_t i = 0; i < valid.size(); ++i) {
    std::memset(reinterpret_cast<char*>(expected.data()) + i * kBytes + valid[i], 0,
                kBytes - valid[i]);
  }
  std::vector<uint32_t> to(words.size());
  run(
      {"copy",
       3,
       128,
       2 * 128 * kBytes,
       {input(words, "from"), input(valid, "valid"), output(to, "to")},
       {}},
      [&] {
        copy_kernel<kBytes>(reinterpret_cast<unsigned char*>(words.data()), valid.data(),
                            to.data());
      },
      [&] {
        CHECK(to == expected);
        std::fill(to.begin(), to.end(), 0);
      });
}

TEST(copies_of_4_bytes) { check_copies<4>(); }
TEST(copies_of_8_bytes) { check_copies<8>(); }
TEST(copies_of_16_bytes) { check_copies<16>(); }

TEST(copies_read_only_what_is_valid) {
  std::vector<uint32_t> one = {0x01020304}, valid(256, 0), to(1024);
  valid[0] = 3;
  // Nothing else of `from` may be touched: it ends where the first word does.
  const sim::Extent from = {one.data(), 3, false, "from"};
  run(
      {"copy", 1, 128, 4096, {from, input(valid, "valid"), output(to, "to")}, {}},
      [&] {
        copy_kernel<16>(reinterpret_cast<unsigned char*>(uintptr_t(one.data()) & ~uintptr_t{15}),
                        valid.data(), to.data());
      },
      [] {});
}

TEST(copies_land_when_the_schedule_says) {
  std::vector<uint32_t> from(32), to(32);
  const auto landed = [&](const sim::Options& options) {  // lanes whose copy came before the store
    from.assign(32, 1);
    const sim::Launch launch = {"landing", 1, 32, 128, {output(from, "from"), output(to, "to")},
                                options};
    sim::launch(launch, [&] {
      const uint32_t t = thread_index(), address = shared_base() + 4 * t;
      copy_async<4>(address, &from[t], 4);
      copy_async_commit();
      for (int i = 0; i < 4; ++i) any(true);
      store_global(&from[t], 0u);
      copy_async_wait<0>();
      store_global(&to[t], load_shared(address));
    });
    return std::accumulate(to.begin(), to.end(), 0u);
  };
  CHECK_EQUAL(landed({sim::Schedule::kEager, 0}), 32u);
  CHECK_EQUAL(landed({sim::Schedule::kLazy, 0}), 0u);
  uint32_t early = 0;
  for (uint64_t seed = 1; seed <= 32; ++seed) early += landed({sim::Schedule::kRandom, seed});
  CHECK(early > 32 && early < 31 * 32);
}

template <bool kTransposed>
void check_load_matrices() {
  std::mt19937 random(4);
  std::vector<uint16_t> from(64 * 8);
  for (uint16_t& x : from) x = uint16_t(random());
  std::vector<uint32_t> rows(64), to(64 * 8);
  std::iota(rows.begin(), rows.end(), 0u);
  std::shuffle(rows.begin(), rows.end(), random);
  run(
      {"load_matrices",
       1,
       64,
       64 * 16,
       {input(from, "from"), input(rows, "rows"), output(to, "to")},
       {}},
      [&] { load_matrices_kernel<kTransposed>(from.data(), rows.data(), to.data()); },
      [&] {
        for (uint32_t t = 0; t < 64; ++t) {
          for (uint32_t i = 0; i < 8; ++i) {
            const uint32_t l = t % 32;
            const auto at = [&](uint32_t row, uint32_t column) {
              return uint32_t{from[rows[8 * i + row] * 8 + column]};
            };
            const uint32_t expected =
                kTransposed ? at(2 * (l % 4), l / 4) | at(2 * (l % 4) + 1, l / 4) << 16
                            : at(l / 4, 2 * (l % 4)) | at(l / 4, 2 * (l % 4) + 1) << 16;
            CHECK_EQUAL(to[t * 8 + i], expected);
          }
        }
      });
}

TEST(load_matrices) { check_load_matrices<false>(); }
TEST(load_matrices_transposed) { check_load_matrices<true>(); }

// One product in the words of its definition: where each lane's registers lie in a, b and c.
template <typename Factor>
struct Definition {
  static constexpr bool kTf32 = std::is_same_v<Factor, Tf32>;
  static constexpr uint32_t kDepth = kTf32 ? 8 : 16;

  static float value(uint32_t word, uint32_t half) {
    if constexpr (kTf32) {
      return std::bit_cast<float>(word & ~0x1fffu);
    } else {
      return to_float(Factor{uint16_t(word >> 16 * half)});
    }
  }
  // Element (row, k) of a fragment of 8 rows; registers of which are `step` apart along k.
  static float element(const uint32_t* registers, uint32_t step, uint32_t row, uint32_t k) {
    const uint32_t word = kTf32 ? k : k / 2;
    return value(registers[word / 4 * step * 32 + row * 4 + word % 4], kTf32 ? 0 : k % 2);
  }
  static float a(const uint32_t* registers, uint32_t row, uint32_t k) {
    return element(registers + row / 8 * 32, 2, row % 8, k);
  }
  static float b(const uint32_t* registers, uint32_t column, uint32_t k) {
    return element(registers, 1, column, k);
  }
  static size_t c(uint32_t row, uint32_t column) {
    return (row / 8 * 2 + column % 2) * 32 + row % 8 * 4 + column / 2;
  }
};

template <typename Factor>
uint32_t random_word(std::mt19937& random) {
  const auto next = [&] { return float(int32_t(random())) * 0x1p-30f; };
  if constexpr (std::is_same_v<Factor, Tf32>) {
    return std::bit_cast<uint32_t>(next());
  } else {
    return from_float<Factor>(next()).bits | uint32_t{from_float<Factor>(next()).bits} << 16;
  }
}

template <typename Factor, int kM, int kN, int kFirst>
void check_mma() {
  using D = Definition<Factor>;
  constexpr int kColumns = kN + kFirst;
  std::mt19937 random(5);
  std::vector<uint32_t> a(kM * 4 * 32), b(kN * 2 * 32);
  for (uint32_t& word : a) word = random_word<Factor>(random);
  for (uint32_t& word : b) word = random_word<Factor>(random);
  const std::vector<float> before = random_floats(kM * kColumns * 4 * 32, 6);
  std::vector<float> c = before, first;
  run(
      {"mma", 1, 32, 0, {input(a, "a"), input(b, "b"), output(c, "c")}, {}},
      [&] { mma_kernel<Factor, kM, kN, kFirst>(a.data(), b.data(), c.data()); },
      [&] {
        if (first.empty()) first = c;
        CHECK(c == first);
        for (uint32_t i = 0; i < kM; ++i) {
          for (uint32_t j = 0; j < kColumns; ++j) {
            for (uint32_t element = 0; element < 128; ++element) {
              const uint32_t row = element / 8, column = element % 8;
              const size_t at = (i * kColumns + j) * 128 + D::c(row, column);
              double sum = before[at], size = std::fabs(sum);
              for (uint32_t k = 0; j >= kFirst && k < D::kDepth; ++k) {
                const double product = double(D::a(a.data() + i * 128, row, k)) *
                                       double(D::b(b.data() + (j - kFirst) * 64, column, k));
                sum += product;
                size += std::fabs(product);
              }
              CHECK(std::fabs(c[at] - sum) <= 0x1p-22 * size);
            }
          }
        }
        c = before;
      });
}

TEST(mma_float16) {
  check_mma<float16, 1, 1, 0>();
  check_mma<float16, 2, 8, 0>();
  check_mma<float16, 2, 10, 3>();
}
TEST(mma_bfloat16) {
  check_mma<bfloat16, 1, 1, 0>();
  check_mma<bfloat16, 2, 8, 0>();
  check_mma<bfloat16, 1, 17, 1>();
}
TEST(mma_tf32) {
  check_mma<Tf32, 1, 1, 0>();
  check_mma<Tf32, 2, 8, 0>();
  check_mma<Tf32, 3, 9, 2>();
}

// Each of these, times one, must come back as itself: all of float16, also as the high half.
TEST(mma_widens_every_float16) {
  for (uint32_t begin = 0; begin < 0x10000; begin += 256) {
    std::vector<uint32_t> a(128), b(64, 0x3c00);  // column k = 0 and 1 of b are 1 and 0
    for (uint32_t lane = 0; lane < 32; ++lane) {
      if (lane % 4 != 0) b[lane] = 0;
      b[32 + lane] = 0;
    }
    for (uint32_t word = begin; word < begin + 256; word += 16) {
      for (uint32_t row = 0; row < 16; ++row) a[row / 8 * 32 + row % 8 * 4] = word + row;
      std::vector<float> c(128, 0.0f);
      const sim::Launch launch = {"mma", 1, 32, 0, {input(a, "a"), input(b, "b"), output(c, "c")},
                                  {}};
      sim::launch(launch, [&] { mma_kernel<float16, 1, 1, 0>(a.data(), b.data(), c.data()); });
      for (uint32_t row = 0; row < 16; ++row) {
        const float actual = c[Definition<float16>::c(row, 0)];
        const float expected = to_float(float16{uint16_t(word + row)});
        CHECK(actual == expected || (std::isnan(actual) && std::isnan(expected)));
      }
    }
  }
}

template <typename Factor>
void check_not_finite(uint32_t nan, uint32_t infinity) {
  std::vector<uint32_t> a(128), b(64);
  std::vector<float> c(128);
  const auto multiply = [&](uint32_t x, uint32_t y) {
    std::fill(a.begin(), a.end(), 0);
    std::fill(b.begin(), b.end(), 0);
    std::fill(c.begin(), c.end(), 1.0f);
    a[0] = x;  // row 0, k = 0
    b[0] = y;  // column 0, k = 0
    run(
        {"mma", 1, 32, 0, {input(a, "a"), input(b, "b"), output(c, "c")}, {}},
        [&] { mma_kernel<Factor, 1, 1, 0>(a.data(), b.data(), c.data()); }, [] {});
    return c[0];
  };
  const uint32_t sign = std::is_same_v<Factor, Tf32> ? 0x80000000 : 0x8000;
  const float infinite = std::numeric_limits<float>::infinity();
  CHECK(std::isnan(multiply(nan, infinity)));
  CHECK(std::isnan(multiply(nan, 0)));
  CHECK(std::isnan(c[2 * 32]) == false);  // row 8
  CHECK(std::isnan(multiply(0, infinity)));
  CHECK_EQUAL(multiply(infinity, infinity | sign), -infinite);
}

TEST(mma_carries_what_is_not_finite) {
  check_not_finite<float16>(0x7e00, 0x7c00);
  check_not_finite<bfloat16>(0x7fc0, 0x7f80);
  check_not_finite<Tf32>(0x7fc00000, 0x7f800000);
}

template <int kChunks>
void check_swizzle() {
  using S = Swizzle<kChunks>;
  constexpr uint32_t kRows = 64;
  std::vector<bool> taken(kRows * kChunks);
  for (uint32_t row = 0; row < kRows; ++row) {
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      const uint32_t offset = S::offset(row, chunk);
      CHECK(offset % 16 == 0 && offset / 16 / kChunks == row && !taken[offset / 16]);
      taken[offset / 16] = true;
    }
  }
  for (uint32_t row = 0; row < kRows; ++row) {
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      for (uint32_t by = 0; chunk + by < kChunks; ++by) {
        if ((chunk & by) != 0) continue;
        const uint32_t base = 0x400 + 128 * row;
        CHECK_EQUAL(S::move(base + S::offset(row, chunk), by), base + S::offset(row, chunk + by));
      }
    }
  }
  // Eight chunks that are accessed together lie in eight different groups of four banks.
  const auto banks = [](uint32_t row, uint32_t chunk) {
    return 1u << S::offset(row, chunk) / 16 % 8;
  };
  for (uint32_t row = 0; row + 8 <= kRows; ++row) {
    for (uint32_t chunk = 0; chunk < kChunks; ++chunk) {
      uint32_t column = 0, along = 0;
      for (uint32_t i = 0; i < 8; ++i) {
        column |= banks(row + i, chunk);
        along |= banks(row + (chunk + i) / kChunks, (chunk + i) % kChunks);
      }
      CHECK_EQUAL(column, 0xffu);
      if (chunk % 4 == 0 && (kChunks % 8 != 0 || chunk % 8 == 0)) CHECK_EQUAL(along, 0xffu);
    }
  }
}

TEST(swizzle_has_no_bank_conflicts) {
  check_swizzle<4>();
  check_swizzle<8>();
  check_swizzle<12>();
  check_swizzle<16>();
  check_swizzle<20>();
  check_swizzle<32>();
}

TEST(tf32_rounding) {
  CHECK_EQUAL(as_float(round_to_tf32(as_bits(1.0f + 0x1p-11f))), 1.0f + 0x1p-10f);
  CHECK_EQUAL(as_float(round_to_tf32(as_bits(-1.0f - 0x1p-11f))), -1.0f - 0x1p-10f);
  CHECK_EQUAL(as_float(round_to_tf32(as_bits(1.0f + 0x1p-12f))), 1.0f);
  CHECK(std::isnan(as_float(round_to_tf32(as_bits(std::numeric_limits<float>::quiet_NaN())))));
}

TEST(shared_window) {
  run(
      {"window", 1, 32, 64, {}, {}},
      [] {
        if (tile::shared_base() != 0x400) sim::fail("the window moved", sim::Where::current());
      },
      [] {});
}

// What is stored is loaded again, the same way.
template <bool kTransposed>
void store_and_load(std::vector<uint32_t>& out) {
  const uint32_t t = thread_index();
  const uint32_t registers[4] = {t, 100 + t, 200 + t, (300 + t) | 7u << 16};
  const uint32_t address[1] = {shared_base() + t * 16};
  store_matrices<1, kTransposed>(registers, address);
  sync_warp();
  uint32_t loaded[4];
  load_matrices<1, kTransposed>(loaded, address);
  for (uint32_t i = 0; i < 4; ++i) store_global(&out[4 * t + i], loaded[i]);
  if (kTransposed) return;
  // Matrix t / 8, row t % 8: its first pair is that of lane 4 (t % 8).
  store_global(&out[128 + t], load_shared(address[0]));
}

TEST(store_matrices_is_load_matrices_the_other_way) {
  std::vector<uint32_t> out(128 + 32);
  const sim::Launch launch = {"store", 1, 32, 512, {output(out, "out")}, {}};
  const auto check = [&] {
    for (uint32_t t = 0; t < 32; ++t) {
      for (uint32_t i = 0; i < 4; ++i) CHECK_EQUAL(out[4 * t + i], (100 * i + t) | (i == 3 ? 7u << 16 : 0));
    }
  };
  run(launch, [&] { store_and_load<true>(out); }, check);
  run(
      launch, [&] { store_and_load<false>(out); },
      [&] {
        check();
        for (uint32_t t = 0; t < 32; ++t) {
          CHECK_EQUAL(out[128 + t], (100 * (t / 8) + t % 8 * 4) | (t >= 24 ? 7u << 16 : 0));
        }
      });
}

}  // namespace
}  // namespace fovea::test
