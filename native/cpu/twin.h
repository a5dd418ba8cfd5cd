// A vector of 32 bytes where no register is as wide: two of 16, which every x86-64 and AArch64 has, with the operators of
// g++'s own vectors. Those of 32 bytes g++ keeps in memory there, at a third of the speed.
#pragma once

#include <cstdint>
#include <type_traits>

namespace fovea::cpu::FOVEA_TIER {

// Like those it may lie where elements do.
template <typename T>
struct [[gnu::may_alias]] Twin {
  typedef T Half __attribute__((vector_size(16), aligned(4)));
  using Mask = Twin<std::conditional_t<sizeof(T) == 8, int64_t, int32_t>>;
  static constexpr int kHalf = 16 / int{sizeof(T)};

  Half low, high;

  T& operator[](int64_t lane) { return reinterpret_cast<T*>(this)[lane]; }
  const T& operator[](int64_t lane) const { return reinterpret_cast<const T*>(this)[lane]; }

#define FOVEA_TWIN_OPERATOR(op)                                                          \
  friend Twin operator op(Twin a, Twin b) { return {a.low op b.low, a.high op b.high}; } \
  friend Twin operator op(Twin a, T b) { return {a.low op b, a.high op b}; }             \
  friend Twin operator op(T a, Twin b) { return {a op b.low, a op b.high}; }             \
  template <typename Other>                                                              \
  Twin& operator op##=(Other other) {                                                    \
    return *this = *this op other;                                                       \
  }
  FOVEA_TWIN_OPERATOR(+)
  FOVEA_TWIN_OPERATOR(-)
  FOVEA_TWIN_OPERATOR(*)
  FOVEA_TWIN_OPERATOR(/)
  FOVEA_TWIN_OPERATOR(&)
  FOVEA_TWIN_OPERATOR(|)
#undef FOVEA_TWIN_OPERATOR
  friend Twin operator<<(Twin a, int places) { return {a.low << places, a.high << places}; }
  friend Twin operator>>(Twin a, int places) { return {a.low >> places, a.high >> places}; }
  friend Twin operator-(Twin a) { return {-a.low, -a.high}; }
  friend Twin operator~(Twin a) { return {~a.low, ~a.high}; }

  // -1 where it is so, else 0.
#define FOVEA_TWIN_COMPARISON(op) \
  friend Mask operator op(Twin a, Twin b) { return {a.low op b.low, a.high op b.high}; }
  FOVEA_TWIN_COMPARISON(==)
  FOVEA_TWIN_COMPARISON(!=)
  FOVEA_TWIN_COMPARISON(<)
  FOVEA_TWIN_COMPARISON(<=)
  FOVEA_TWIN_COMPARISON(>)
  FOVEA_TWIN_COMPARISON(>=)
#undef FOVEA_TWIN_COMPARISON
};

template <typename T>
inline Twin<T> where(typename Twin<T>::Mask mask, Twin<T> a, Twin<T> b) {
  return {mask.low ? a.low : b.low, mask.high ? a.high : b.high};
}

}  // namespace fovea::cpu::FOVEA_TIER
