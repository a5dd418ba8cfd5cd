// wgmma: each kind of product against its definition, and every way to use one wrongly.

#include <cmath>

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"
#include "tile/wgmma.cuh"

namespace fovea::test {
namespace {

using sim::Where;
using tile::Major;

constexpr uint32_t kGroup = 128;    // threads
constexpr uint32_t kRowBytes = 128;
constexpr uint32_t kEight = 8 * kRowBytes;
constexpr int kM = 64, kK = 64;

float value(uint32_t i) { return float(int32_t(i * 2654435761u >> 20 & 31) - 15) / 8; }

template <typename T>
uint16_t bits(float x) {
  return from_float<T>(x).bits;
}

uint32_t base() { return (shared_base() + 1023) / 1024 * 1024; }

// Element (row, column) of rows of 64, in the swizzle.
uint32_t place(uint32_t tile, uint32_t row, uint32_t column) {
  const uint32_t plain = tile + row * kRowBytes + column * 2;
  return plain ^ (plain >> 3 & 0x70);
}

// By all threads, two elements at a time: element (row, column) is `of(row, column)`.
template <typename T, typename Of>
void fill(uint32_t tile, uint32_t rows, Of of, Where where = Where::current()) {
  for (uint32_t i = thread_index(); i < rows * 32; i += kGroup) {
    const uint32_t row = i / 32, column = i % 32 * 2;
    const uint32_t pair = bits<T>(of(row, column)) | uint32_t{bits<T>(of(row, column + 1))} << 16;
    sim::shared_write(place(tile, row, column), &pair, 4, where);
  }
}

float a_of(uint32_t m, uint32_t k) { return value(m * 64 + k); }
float b_of(uint32_t n, uint32_t k) { return value(100000 + n * 64 + k); }

template <int kCount>
void store(const float (&sums)[kCount], std::vector<float>& out) {
  const uint32_t t = thread_index(), row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
  for (uint32_t i = 0; i < kCount / 4; ++i) {
    for (uint32_t j = 0; j < 4; ++j) {
      store_global(&out[(row + j / 2 * 8) * 2 * kCount + 8 * i + column + j % 2], sums[4 * i + j]);
    }
  }
}

template <int kCount>
void check_product(const std::vector<float>& out) {
  constexpr int kN = 2 * kCount;
  for (uint32_t m = 0; m < kM; ++m) {
    for (uint32_t n = 0; n < kN; ++n) {
      double sum = 0;
      for (uint32_t k = 0; k < kK; ++k) sum += double(a_of(m, k)) * double(b_of(n, k));
      CHECK_EQUAL(out[m * kN + n], float(sum));
    }
  }
}

sim::Launch launch_of(std::vector<float>& out) {
  return {"products", 1, kGroup, 64 * 1024, {output(out, "out")}, {}};
}

// Queries times keys: both operands in shared memory, rows of k.
template <typename T, int kCount>
void scores(std::vector<float>& out) {
  const uint32_t a = base(), b = a + kM * kRowBytes;
  fill<T>(a, kM, a_of);
  fill<T>(b, 2 * kCount, b_of);
  tile::fence_async();
  sync_block();
  float sums[kCount];
  for (float& sum : sums) sum = 1e30f;
  tile::wgmma_fence();
  for (uint32_t k = 0; k < kK / 16; ++k) {
    tile::wgmma<T, Major::kK, Major::kK>(sums, tile::descriptor(a + k * 32, 0, kEight),
                                         tile::descriptor(b + k * 32, 0, kEight), k > 0);
  }
  tile::wgmma_commit();
  tile::wgmma_wait<0>(sums);
  store(sums, out);
}

// Weights times values: the first operand in registers, the second in rows of columns.
template <typename T, int kCount>
void values(std::vector<float>& out) {
  constexpr uint32_t kBlock = kK * kRowBytes;  // 64 columns
  for (uint32_t block = 0; block < 2 * kCount / 64; ++block) {
    fill<T>(base() + block * kBlock, kK, [=](uint32_t k, uint32_t n) { return b_of(64 * block + n, k); });
  }
  tile::fence_async();
  sync_block();
  const uint32_t t = thread_index(), row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
  const auto pair = [&](uint32_t m, uint32_t k) {
    return bits<T>(a_of(m, k)) | uint32_t{bits<T>(a_of(m, k + 1))} << 16;
  };
  uint32_t a[kK / 16][4];
  for (uint32_t k = 0; k < kK / 16; ++k) {
    for (uint32_t i = 0; i < 4; ++i) a[k][i] = pair(row + i % 2 * 8, 16 * k + column + i / 2 * 8);
  }
  float sums[kCount] = {};
  tile::wgmma_fence();
  for (uint32_t k = 0; k < kK / 16; ++k) {
    tile::wgmma<T, Major::kMN>(sums, a[k], tile::descriptor(base() + k * 16 * kRowBytes, kBlock, kEight), true);
  }
  tile::wgmma_commit();
  tile::wgmma_wait<0>(sums);
  store(sums, out);
}

template <typename T, int kCount>
void both() {
  std::vector<float> out(kM * 2 * kCount);
  run(
      launch_of(out), [&] { scores<T, kCount>(out); }, [&] { check_product<kCount>(out); });
  if constexpr (2 * kCount % 64 == 0) {
    run(
        launch_of(out), [&] { values<T, kCount>(out); }, [&] { check_product<kCount>(out); });
  }
}

TEST(products_of_each_width) {
  both<bfloat16, 32>();
  both<float16, 48>();
  both<bfloat16, 64>();
  both<float16, 64>();
  both<bfloat16, 96>();
  both<bfloat16, 128>();
}

// The second operand of two groups of products, the first of which may be overwritten when it is done.
struct Wrong {
  bool fences = true, second_fence = true, publishes = true, scales = false, writes_early = false, exits = false;
  int pending = 1;
};

void overlapped(std::vector<float>& out, const Wrong& wrong) {
  using T = bfloat16;
  const uint32_t a = base(), b[] = {a + kM * kRowBytes, a + 2 * kM * kRowBytes};
  fill<T>(a, kM, a_of);
  fill<T>(b[0], 64, b_of);
  fill<T>(b[1], 64, b_of);
  if (wrong.publishes) tile::fence_async();
  sync_block();
  float sums[2][32];
  if (wrong.fences) tile::wgmma_fence();
  for (int i = 0; i < 2; ++i) {
    for (uint32_t k = 0; k < kK / 16; ++k) {
      tile::wgmma<T, Major::kK, Major::kK>(sums[i], tile::descriptor(a + k * 32, 0, kEight),
                                           tile::descriptor(b[i] + k * 32, 0, kEight), k > 0);
    }
    tile::wgmma_commit();
  }
  if (wrong.pending == 1) tile::wgmma_wait<1>(sums[0]);
  if (wrong.scales) {
    for (float& sum : sums[1]) sum = 2;
  }
  if (!wrong.writes_early) sync_block();
  fill<T>(b[0], 64, [](uint32_t n, uint32_t k) { return b_of(n, k) * 2; });
  tile::fence_async();
  sync_block();
  if (wrong.exits) return;
  tile::wgmma_wait<0>(sums[1]);
  float again[32];
  if (wrong.second_fence) tile::wgmma_fence();
  for (uint32_t k = 0; k < kK / 16; ++k) {
    tile::wgmma<T, Major::kK, Major::kK>(again, tile::descriptor(a + k * 32, 0, kEight),
                                         tile::descriptor(b[0] + k * 32, 0, kEight), k > 0);
  }
  tile::wgmma_commit();
  tile::wgmma_wait<0>(again);
  for (int i = 0; i < 32; ++i) again[i] = again[i] - sums[0][i] + (sums[1][i] - sums[0][i]) * 1000;
  store(again, out);
}

TEST(groups_of_products) {
  std::vector<float> out(kM * 64);
  run(
      launch_of(out), [&] { overlapped(out, {}); }, [&] { check_product<32>(out); });
}

template <typename Change>
void expect_wrong(std::initializer_list<std::string> parts, Change change, Where where = Where::current()) {
  std::vector<float> out(kM * 64);
  Wrong wrong;
  change(wrong);
  expect_error(launch_of(out), parts, [&] { overlapped(out, wrong); }, where);
}

TEST(misuse_of_products) {
  expect_wrong({"wgmma without a wgmma_fence"}, [](Wrong& it) { it.fences = false; });
  expect_wrong({"wgmma without a wgmma_fence"}, [](Wrong& it) { it.second_fence = false; });
  expect_wrong({"wgmma reads shared address 0x", "without a fence_async behind its write by thread"},
               [](Wrong& it) { it.publishes = false; });
  expect_wrong({"a thread writes sums of a wgmma that is in flight"}, [](Wrong& it) { it.scales = true; });
  expect_wrong({"overwrites shared address 0x", "while warp |without a barrier after its read by warp"},
               [](Wrong& it) { it.writes_early = true; });
  expect_wrong({"overwrites shared address 0x", "while warp "}, [](Wrong& it) { it.pending = 2; });
  expect_wrong({"exits before it has waited for this product"}, [](Wrong& it) { it.exits = true; });
}

TEST(sums_are_nothing_until_the_wait) {
  std::vector<float> out(kM * 64);
  run(
      launch_of(out),
      [&] {
        fill<bfloat16>(base(), kM, a_of);
        tile::fence_async();
        sync_block();
        float sums[32] = {};
        tile::wgmma_fence();
        const uint64_t both = tile::descriptor(base(), 0, kEight);
        tile::wgmma<bfloat16, Major::kK, Major::kK>(sums, both, both, true);
        tile::wgmma_commit();
        for (float sum : sums) store_global(&out[thread_index()], sum);
        tile::wgmma_wait<0>(sums);
      },
      [&] {
        for (uint32_t t = 0; t < kGroup; ++t) CHECK(std::isnan(out[t]));
      });
}

TEST(factors_stay_until_the_wait) {
  std::vector<float> out(kM * 64);
  expect_error(launch_of(out), {"a thread writes factors of a wgmma that is in flight"}, [&] {
    fill<bfloat16>(base(), kM, a_of);
    tile::fence_async();
    sync_block();
    float sums[32] = {};
    uint32_t factors[4] = {};
    tile::wgmma_fence();
    tile::wgmma<bfloat16, Major::kMN>(sums, factors, tile::descriptor(base(), 0, kEight), true);
    tile::wgmma_commit();
    factors[0] = thread_index();
    tile::wgmma_wait<0>(sums);
  });
}

TEST(misuse_of_descriptors) {
  std::vector<float> out(kM * 64);
  const auto refused = [&](const char* message, auto operand, Where where = Where::current()) {
    expect_error(
        launch_of(out), {message},
        [&] {
          fill<bfloat16>(base(), kM, a_of);
          tile::fence_async();
          sync_block();
          float sums[32] = {};
          tile::wgmma_fence();
          tile::wgmma<bfloat16, Major::kK, Major::kK>(sums, tile::descriptor(base(), 0, kEight), operand(), true);
        },
        where);
  };
  refused("not in the 128-byte swizzle", [] { return tile::descriptor(base(), 0, kEight) & ~(uint64_t{3} << 62); });
  refused("with a base offset", [] { return tile::descriptor(base(), 0, kEight) | uint64_t{1} << 49; });
  refused("begins inside an atom", [] { return tile::descriptor(base() + 128, 0, kEight); });
  refused("no multiples of 1024", [] { return tile::descriptor(base(), 0, 512); });
  refused("never written", [] { return tile::descriptor(base() + 64 * kRowBytes, 0, kEight); });
  refused("out of bounds", [] { return tile::descriptor(base() + 64 * 1024, 0, kEight); });
  refused("has another shape, type or operand",
          [] { return tile::descriptor(base() + thread_index() % 2 * 32, 0, kEight); });
}

}  // namespace
}  // namespace fovea::test
