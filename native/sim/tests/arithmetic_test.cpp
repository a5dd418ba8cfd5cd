// Arithmetic that errs as hardware does: sums of tensor cores, approximate functions.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "core/half.h"
#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"

namespace fovea::test {
namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

bool same(float x, float y) {
  return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y) ||
         (std::isnan(x) && std::isnan(y));
}

// ---- a tensor core, in integers

// significand * 2^(exponent - kPoint), as wide as what is added.
struct Term {
  static constexpr int kPoint = 30;
  int64_t significand;
  int exponent;
};

Term term(float x, int least) {
  const int exponent = x == 0 ? -10000 : std::max(std::ilogb(x), least);
  return {int64_t(std::ldexp(double(x), Term::kPoint - exponent)), exponent};
}

float definition(float c, const std::vector<float>& a, const std::vector<float>& b, int least,
                 int bits) {
  double all = c;
  for (size_t k = 0; k < a.size(); ++k) all += double(a[k]) * double(b[k]);
  if (!std::isfinite(all)) return float(all);
  std::vector<Term> terms = {term(c, -126)};
  for (size_t k = 0; k < a.size(); ++k) {
    const Term x = term(a[k], least), y = term(b[k], least);
    terms.push_back({(x.significand >> 15) * (y.significand >> 15), x.exponent + y.exponent});
  }
  int largest = 2 * term(0, 0).exponent;
  for (const Term& t : terms) largest = std::max(largest, t.exponent);
  int64_t sum = 0;
  for (const Term& t : terms) {
    const int drop = std::min(62, Term::kPoint - bits + largest - t.exponent);
    const int64_t kept = std::abs(t.significand) >> drop;
    sum += t.significand < 0 ? -kept : kept;
  }
  int64_t magnitude = std::abs(sum);
  int exponent = largest - bits;
  for (; magnitude != 0 && (magnitude >= 1 << 24 || exponent < -149); ++exponent) magnitude >>= 1;
  return std::ldexp(float(sum < 0 ? -magnitude : magnitude), exponent);
}

template <typename Factor>
struct Type {
  static constexpr bool kTf32 = std::is_same_v<Factor, Tf32>;
  static constexpr uint32_t kDepth = kTf32 ? 8 : 16;
  static constexpr int kLeast = std::is_same_v<Factor, float16> ? -14 : -126;

  static float round(float x) {
    if constexpr (kTf32) {
      return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & ~0x1fffu);
    } else {
      return to_float(from_float<Factor>(x));
    }
  }
  // Puts element (row, k) into fragments of eight rows, of which the first `rows` are kept.
  static void put(std::vector<uint32_t>& fragment, uint32_t pieces, uint32_t row, uint32_t k,
                  float x) {
    const uint32_t word = kTf32 ? k : k / 2;
    uint32_t& to = fragment[(word / 4 * pieces + row / 8) * 32 + row % 8 * 4 + word % 4];
    if constexpr (kTf32) {
      to = std::bit_cast<uint32_t>(x);
    } else {
      to |= uint32_t{from_float<Factor>(x).bits} << 16 * (k % 2);
    }
  }
};

// c[16][8] + a[16][depth] * b[8][depth]^T of one product.
template <typename Factor>
std::vector<float> multiply(const sim::TensorCore& core, const std::vector<float>& a,
                            const std::vector<float>& b, const std::vector<float>& c) {
  using T = Type<Factor>;
  std::vector<uint32_t> from_a(128), from_b(64);
  std::vector<float> sums(128), result(128);
  const auto place = [](uint32_t row, uint32_t column) {
    return (row / 8 * 2 + column % 2) * 32 + row % 8 * 4 + column / 2;
  };
  for (uint32_t k = 0; k < T::kDepth; ++k) {
    for (uint32_t row = 0; row < 16; ++row) T::put(from_a, 2, row, k, a[row * T::kDepth + k]);
    for (uint32_t row = 0; row < 8; ++row) T::put(from_b, 1, row, k, b[row * T::kDepth + k]);
  }
  for (uint32_t i = 0; i < 128; ++i) sums[place(i / 8, i % 8)] = c[i];
  sim::Launch launch = {
      "mma", 1, 32, 0, {input(from_a, "a"), input(from_b, "b"), output(sums, "c")}, {}};
  launch.options.arithmetic.tensor_core = core;
  sim::launch(launch,
              [&] { mma_kernel<Factor, 1, 1, 0>(from_a.data(), from_b.data(), sums.data()); });
  for (uint32_t i = 0; i < 128; ++i) result[i] = sums[place(i / 8, i % 8)];
  return result;
}

// Numbers of exponents up to `spread` below `highest`; one in 50 special, if asked.
template <typename Factor>
void check_sums(const sim::TensorCore& core, int highest, int spread, bool special) {
  using T = Type<Factor>;
  std::mt19937 random(uint32_t(highest + spread));
  const auto next = [&](int top) {
    const float x =
        std::ldexp(float(int32_t(random())), int(random() % uint32_t(spread)) - spread + top - 31);
    constexpr float kSpecial[] = {0, -0.0f, kInfinite, -kInfinite, kNaN};
    return special && random() % 50 == 0 ? kSpecial[random() % 5] : random() % 8 == 0 ? 0.0f : x;
  };
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::vector<float> a(16 * T::kDepth), b(8 * T::kDepth), c(128);
    for (float& x : a) x = T::round(next(highest));
    for (float& x : b) x = T::round(next(highest));
    for (float& x : c) x = next(2 * highest + 3);
    const std::vector<float> actual = multiply<Factor>(core, a, b, c);
    const uint32_t step = core.step_bytes * T::kDepth / 32;
    for (uint32_t i = 0; i < 128; ++i) {
      float sum = c[i];
      for (uint32_t k = 0; k < T::kDepth; k += step) {
        const float* const x = &a[i / 8 * T::kDepth + k];
        const float* const y = &b[i % 8 * T::kDepth + k];
        sum = definition(sum, {x, x + step}, {y, y + step}, T::kLeast, core.fraction_bits);
      }
      CHECK(same(actual[i], sum) || (sum == 0 && actual[i] == 0));
    }
  }
}

template <typename Factor>
void check_sums() {
  for (const sim::TensorCore& core : {sim::kAmpere, sim::kHopper}) {
    for (const int spread : {1, 4, 12, 30}) {
      check_sums<Factor>(core, 1, spread, false);
      check_sums<Factor>(core, 1, spread, true);
      check_sums<Factor>(core, -12, spread, true);
    }
  }
}

TEST(tensor_core_sums_of_float16) { check_sums<float16>(); }
TEST(tensor_core_sums_of_bfloat16) {
  check_sums<bfloat16>();
  for (const int highest : {-60, 58, 62}) check_sums<bfloat16>(sim::kHopper, highest, 20, true);
}
TEST(tensor_core_sums_of_tf32) {
  check_sums<Tf32>();
  for (const int highest : {-60, 58, 62}) check_sums<Tf32>(sim::kAmpere, highest, 20, true);
}

// c + `count` times a product x, and no other.
float sum_of(const sim::TensorCore& core, float c, uint32_t count, float x) {
  std::vector<float> a(256), b(128);
  for (uint32_t k = 0; k < count; ++k) a[k] = x, b[k] = 1;
  return multiply<float16>(core, a, b, std::vector<float>(128, c))[0];
}

TEST(tensor_cores_cut) {
  // 24 bits below the largest on Ampere, 25 on Hopper, toward zero.
  CHECK_EQUAL(sum_of(sim::kAmpere, 1, 8, 0x1p-24f), 1 + 0x1p-21f);
  CHECK_EQUAL(sum_of(sim::kAmpere, 1024, 8, 0x1p-15f), 1024.0f);
  CHECK_EQUAL(sum_of(sim::kHopper, 1024, 8, 0x1p-15f), 1024 + 0x1p-12f);
  CHECK_EQUAL(sum_of(sim::kHopper, 1024, 16, -0x1p-16f), 1024.0f);
  CHECK_EQUAL(sum_of({}, 1024, 1, -0x1p-13f), 1024 - 0x1p-13f);
  // The sum is cut, where float32 arithmetic would round it up.
  CHECK_EQUAL(sum_of(sim::kAmpere, 1024, 1, 0x1.8p-14f), 1024.0f);
  CHECK_EQUAL(sum_of({}, 1024, 1, 0x1.8p-14f), 1024 + 0x1p-13f);
  // Ampere cuts after 8 products, Hopper after 16.
  CHECK_EQUAL(sum_of(sim::kAmpere, 1, 9, 0x1p-24f), 1 + 0x1p-21f);
  CHECK_EQUAL(sum_of(sim::kHopper, 1, 10, 0x1p-24f), 1 + 0x1.4p-21f);
}

// As large as sixteen products and a sum of one exponent can be, and a little less.
TEST(tensor_core_sums_of_the_largest) {
  const float largest = 2 - 0x1p-10f;
  std::vector<float> a(256, largest), b(128, largest), c(128);
  for (uint32_t i = 0; i < 128; ++i) c[i] = 2 - 0x1p-6f * float(i);
  for (const float sign : {1.0f, -1.0f}) {
    for (float& x : b) x = sign * largest;
    for (float& x : c) x = sign * std::fabs(x);
    const std::vector<float> actual = multiply<float16>(sim::kHopper, a, b, c);
    for (uint32_t i = 0; i < 128; ++i) {
      const std::vector<float> x(16, largest), y(16, sign * largest);
      CHECK_EQUAL(actual[i], definition(c[i], x, y, -14, sim::kHopper.fraction_bits));
    }
  }
}

// ---- ex2.approx, lg2.approx and rcp.approx

using Function = float (*)(float);

std::vector<float> apply(Function function, const std::vector<float>& x, uint64_t seed) {
  std::vector<float> y(x.size());
  sim::Launch launch = {"approximate", 1, 32, 0, {}, {}};
  launch.options.arithmetic.seed = seed;
  sim::launch(launch, [&] {
    for (size_t i = thread_index(); i < x.size(); i += 32) y[i] = function(x[i]);
  });
  return y;
}

std::vector<float> some(float low, float high) {
  std::mt19937 random(7);
  std::vector<float> all(20000);
  for (float& x : all) x = low + (high - low) * float(random()) * 0x1p-32f;
  return all;
}

// Errors in units of what is allowed: none above 1, and many near it; of `rounded` results none above that.
template <typename Allowed>
void check_errors(Function function, double (*exact)(double), float low, float high,
                  Allowed allowed, double rounded = 0.3) {
  const std::vector<float> x = some(low, high);
  const std::vector<float> y = apply(function, x, 1);
  int near = 0, above = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = (y[i] - exact(double(x[i]))) / allowed(exact(double(x[i])));
    CHECK(std::fabs(error) <= 1);
    near += std::fabs(error) > 0.5;
    above += error > 0;
  }
  CHECK(near > 2000 && above > 8000 && above < 12000);
  CHECK(y == apply(function, x, 1));
  CHECK(y != apply(function, x, 2));
  const std::vector<float> nearest = apply(function, x, 0);
  for (size_t i = 0; i < x.size(); ++i) {
    CHECK(std::fabs(nearest[i] - exact(double(x[i]))) <= rounded * allowed(exact(double(x[i]))));
  }
}

TEST(reciprocal_errs_by_one_ulp) {
  const auto ulp = [](double y) { return std::ldexp(1.0, std::ilogb(y) - 23); };
  const auto exact = [](double x) { return 1 / x; };
  check_errors(reciprocal_approx, exact, 1, 2, ulp, 0.5);
  check_errors(reciprocal_approx, exact, -100, -0.01f, ulp, 0.5);
}

TEST(exp2_errs_by_two_ulps) {
  const auto ulps = [](double y) { return std::ldexp(2.0, std::ilogb(y) - 23); };
  check_errors(exp2_approx, std::exp2, -1, 1, ulps);
  check_errors(exp2_approx, std::exp2, -125, 127, ulps);
}

TEST(log2_errs_by_2_to_the_minus_22) {
  check_errors(log2_approx, std::log2, 0.5f, 2, [](double) { return 0x1p-22; });
  check_errors(log2_approx, std::log2, 2, 1e9f, [](double y) { return 0x1p-22 * std::fabs(y); });
}

TEST(approximations_are_exact_where_ptx_says_so) {
  const auto check = [](Function function, const std::vector<float>& x,
                        const std::vector<float>& expected) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const std::vector<float> y = apply(function, x, seed);
      for (size_t i = 0; i < x.size(); ++i) CHECK(same(y[i], expected[i]));
    }
  };
  check(exp2_approx, {0, -0.0f, 0x1p-130f, -0x1p-149f, kInfinite, -kInfinite, kNaN, -140, 200},
        {1, 1, 1, 1, kInfinite, 0, kNaN, 0, kInfinite});
  check(log2_approx, {0, -0.0f, 0x1p-130f, -0x1p-130f, kInfinite, -kInfinite, kNaN, -1},
        {-kInfinite, -kInfinite, -kInfinite, -kInfinite, kInfinite, kNaN, kNaN, kNaN});
  check(reciprocal_approx, {0, -0.0f, 0x1p-130f, -0x1p-130f, kInfinite, -kInfinite, kNaN, 0x1p127f},
        {kInfinite, -kInfinite, kInfinite, -kInfinite, 0, -0.0f, kNaN, 0});
}

}  // namespace
}  // namespace fovea::test
