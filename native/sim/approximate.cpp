// The approximate functions, which err as PTX allows: by as much as the seed and the bits of the
// argument decide, so that equal arguments have equal results, as on hardware.

#include <bit>
#include <cmath>
#include <limits>

#include "sim/block.h"

namespace fovea::sim {
namespace {

constexpr float kSmallest = std::numeric_limits<float>::min();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

// The power of two at or below a positive number.
double binade(double x) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(x) & ~uint64_t{0} << 52);
}

// Between -1 and 1; 0 where nothing errs.
double deviation(float x) {
  const Block* const block = current_block;
  const uint64_t seed = block == nullptr ? 0 : block->arithmetic().seed;
  if (seed == 0) return 0;
  return double(int64_t(Random(seed ^ uint64_t{std::bit_cast<uint32_t>(x)} << 32).next())) *
         0x1p-63;
}

}  // namespace

float exp2_approx(float x) {
  if (std::fabs(x) < kSmallest) return 1;
  if (!std::isfinite(x)) return std::exp2(x);
  const double exact = std::exp2(double(x));
  // Rounding takes half of an ulp, of the two that are allowed.
  const float y = float(exact + 1.5 * deviation(x) * 0x1p-23 * binade(exact));
  return y < kSmallest ? 0.0f : y;
}

float log2_approx(float x) {
  if (std::fabs(x) < kSmallest) return -kInfinite;
  if (!std::isfinite(x)) return std::log2(x);
  const double exact = std::log2(double(x));
  const double unit = x >= 0.5f && x <= 2 ? 1 : std::fabs(exact);
  // Rounding takes a quarter of what is allowed.
  return float(exact + 0x1.8p-23 * deviation(x) * unit);
}

float reciprocal_approx(float x) {
  if (std::fabs(x) < kSmallest) return std::copysign(kInfinite, x);
  if (!std::isfinite(x)) return 1 / x;
  const double exact = 1 / double(x);
  // Rounding takes half of the ulp that is allowed.
  const double unit = 0x1p-23 * binade(std::fabs(exact));
  const float y = float(exact + 0.5 * deviation(x) * unit);
  return std::fabs(y) < kSmallest ? std::copysign(0.0f, x) : y;
}

}  // namespace fovea::sim
