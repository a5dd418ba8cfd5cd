// wgmma of 8-bit factors: products against their definition, with sums of 13 bits of fraction.

#include <cmath>

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"
#include "tile/convert.cuh"
#include "tile/wgmma.cuh"

namespace fovea::test {
namespace {

using tile::Major;

constexpr uint32_t kGroup = 128;  // threads
constexpr uint32_t kRowBytes = 128, kEight = 8 * kRowBytes;
constexpr uint32_t kM = 64, kN = 64, kK = 128;
constexpr int kSums = kN / 2;

// Sums of 128 products of them are exact in 13 bits of fraction.
float a_of(uint32_t m, uint32_t k) { return float(int32_t((m * kK + k) * 2654435761u >> 20 & 7) - 3) / 2; }
float b_of(uint32_t n, uint32_t k) { return float(int32_t((n * kK + k + 77) * 2246822519u >> 20 & 7) - 4); }

uint32_t base() { return (shared_base() + 1023) / 1024 * 1024; }

// Rows of 128 elements, in the swizzle.
template <typename Of>
void fill(uint32_t tile, uint32_t rows, Of of, sim::Where where = sim::Where::current()) {
  for (uint32_t i = thread_index(); i < rows * kK / 4; i += kGroup) {
    const uint32_t row = i / (kK / 4), k = i % (kK / 4) * 4;
    const uint32_t word = tile::pack_e4m3(of(row, k), of(row, k + 1), of(row, k + 2), of(row, k + 3));
    const uint32_t plain = tile + row * kRowBytes + k;
    sim::shared_write(plain ^ (plain >> 3 & 0x70), &word, 4, where);
  }
}

void store(const float (&sums)[kSums], std::vector<float>& out) {
  const uint32_t t = thread_index(), row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
  for (uint32_t i = 0; i < kSums / 4; ++i) {
    for (uint32_t j = 0; j < 4; ++j) {
      store_global(&out[(row + j / 2 * 8) * kN + 8 * i + column + j % 2], sums[4 * i + j]);
    }
  }
}

// a b^T, with a in shared memory or in registers, behind an addend where it is not 0.
template <bool kRegisters, typename A, typename B>
void multiply(A a, B b, float addend, std::vector<float>& out) {
  const uint32_t of_a = base(), of_b = of_a + kM * kRowBytes;
  fill(of_a, kM, a);
  fill(of_b, kN, b);
  tile::fence_async();
  sync_block();
  const uint32_t t = thread_index(), row = t / 32 * 16 + t % 32 / 4;
  uint32_t factors[kK / 32][4];
  for (uint32_t k = 0; k < kK / 32; ++k) {
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t m = row + i % 2 * 8, first = 32 * k + i / 2 * 16 + t % 4 * 4;
      factors[k][i] = tile::pack_e4m3(a(m, first), a(m, first + 1), a(m, first + 2), a(m, first + 3));
    }
  }
  float sums[kSums];
  for (float& sum : sums) sum = addend;
  tile::wgmma_fence();
  for (uint32_t k = 0; k < kK / 32; ++k) {
    const uint64_t second = tile::descriptor(of_b + k * 32, 0, kEight);
    const bool adds = k > 0 || addend != 0;
    if constexpr (kRegisters) {
      tile::wgmma<float8_e4m3, Major::kK>(sums, factors[k], second, adds);
    } else {
      tile::wgmma<float8_e4m3, Major::kK, Major::kK>(sums, tile::descriptor(of_a + k * 32, 0, kEight), second, adds);
    }
  }
  tile::wgmma_commit();
  tile::wgmma_wait<0>(sums);
  store(sums, out);
}

sim::Launch launch_of(std::vector<float>& out, const sim::TensorCore& core) {
  sim::Launch launch = {"float8", 1, kGroup, 64 * 1024, {output(out, "out")}, {}};
  launch.options.arithmetic.tensor_core = core;
  return launch;
}

TEST(products_of_8_bits) {
  std::vector<float> out(kM * kN);
  const auto check = [&] {
    for (uint32_t m = 0; m < kM; ++m) {
      for (uint32_t n = 0; n < kN; ++n) {
        float sum = 0;
        for (uint32_t k = 0; k < kK; ++k) sum += a_of(m, k) * b_of(n, k);
        CHECK_EQUAL(out[m * kN + n], sum);
      }
    }
  };
  run(launch_of(out, {}), [&] { multiply<false>(a_of, b_of, 0, out); }, check);
  run(launch_of(out, {}), [&] { multiply<true>(a_of, b_of, 0, out); }, check);
  sim::launch(launch_of(out, sim::kHopper), [&] { multiply<true>(a_of, b_of, 0, out); });
  check();
}

// All products are `x`, and there are 128.
float sum_of(const sim::TensorCore& core, float addend, float x) {
  std::vector<float> out(kM * kN);
  sim::launch(launch_of(out, core), [&] {
    multiply<true>([=](uint32_t, uint32_t) { return x; }, [](uint32_t, uint32_t) { return 1.0f; }, addend, out);
  });
  return out[0];
}

TEST(sums_of_8_bits_are_cut) {
  CHECK_EQUAL(sum_of(sim::kHopper, 0x1p13f, 1), 0x1p13f + 128);
  CHECK_EQUAL(sum_of(sim::kHopper, 0x1p14f, 1), 0x1p14f);
  CHECK_EQUAL(sum_of({}, 0x1p14f, 1), 0x1p14f + 128);
  CHECK_EQUAL(sum_of(sim::kHopper, 0x1p14f, 2), 0x1p14f + 256);
  // Above the largest that they were aligned to, too.
  CHECK_EQUAL(sum_of(sim::kHopper, 0x1.fffp13f, 1), 0x1p14f + 30);
  CHECK(std::isnan(sum_of(sim::kHopper, 1, NAN)));
}

TEST(packed_to_the_nearest_of_8_bits) {
  CHECK_EQUAL(tile::pack_e4m3(1, -2, 448, 0), 0x007ec038u);
  CHECK_EQUAL(tile::pack_e4m3(1e9f, -1e9f, 0x1p-9f, 0x1p-11f), 0x0001fe7eu);
  CHECK_EQUAL(tile::pack_e4m3(17, 19, NAN, 0x1.8p-9f), 0x027f5a58u);
}

TEST(operands_of_8_bits_are_k_major) {
  std::vector<float> out(kM * kN);
  expect_error(launch_of(out, {}), {"wgmma of an MN-major operand of 8 bits"}, [&] {
    fill(base(), kM, a_of);
    tile::fence_async();
    sync_block();
    float sums[kSums] = {};
    const uint64_t both = tile::descriptor(base(), 0, kEight);
    tile::wgmma_fence();
    sim::wgmma(sim::Product::kFloat8, sums, kN, nullptr, {both, false}, {both, true}, true,
               sim::Where::current());
  });
}

}  // namespace
}  // namespace fovea::test
