// Rows of a tensor, or of the workspace, on their way to shared memory as float32.
#pragma once

#include <type_traits>

#include "cuda/linear/state.cuh"
#include "tile/convert.cuh"

namespace fovea::linear::cuda {

// Where a row lies, and a number that goes with it.
struct Source {
  bool there;
  int64_t offset;  // in elements
  float number;
};

// Columns [begin, begin + pitch) of rows, of which those from `width` on are not there.
struct Place {
  uint32_t at;
  int32_t pitch, begin, width;
  int32_t warps;  // that load them
};

// map(x, number) of the elements of row source(n), n < count; zeros where there is none. A warp has rows of
// its own, and the loads of several are on their way before the first is stored.
template <typename From, typename Map>
FOVEA_DEVICE void load_rows(const void* tensor, int32_t dtype, const Place& to, int32_t count,
                            From source, Map map) {
  constexpr int kRowsAtOnce = 2, kEach = 4;
  tile::with_type(dtype, [&](auto* type) {
    using Element = std::remove_pointer_t<decltype(type)>;
    const Element* const elements = static_cast<const Element*>(tensor) + to.begin;
    FOVEA_NO_UNROLL
    for (int32_t first = warp(); first < count; first += to.warps * kRowsAtOnce) {
      Source row[kRowsAtOnce];
      FOVEA_UNROLL
      for (int n = 0; n < kRowsAtOnce; ++n) {
        const int32_t index = first + n * to.warps;
        row[n] = index < count ? source(index) : Source{};
      }
      FOVEA_NO_UNROLL
      for (int32_t column = lane(); column < to.pitch; column += kEach * tile::kWarp) {
        const auto there = [&](int n, int i) {
          const int32_t c = column + i * tile::kWarp;
          return row[n].there && c < to.pitch && to.begin + c < to.width;
        };
        Element x[kRowsAtOnce][kEach];
        FOVEA_UNROLL
        for (int n = 0; n < kRowsAtOnce; ++n) {
          FOVEA_UNROLL
          for (int i = 0; i < kEach; ++i) {
            x[n][i] = there(n, i) ? tile::load_global(elements + row[n].offset + column +
                                                      i * tile::kWarp)
                                  : Element{};
          }
        }
        FOVEA_UNROLL
        for (int n = 0; n < kRowsAtOnce; ++n) {
          const int32_t index = first + n * to.warps;
          FOVEA_UNROLL
          for (int i = 0; i < kEach; ++i) {
            const int32_t c = column + i * tile::kWarp;
            if (index >= count || c >= to.pitch) continue;
            store_float(to.at + 4 * uint32_t(index * to.pitch + c),
                        there(n, i) ? map(tile::widen(x[n][i]), row[n].number) : 0.0f);
          }
        }
      }
    }
  });
}

// Element `offset` of a tensor of that type.
FOVEA_DEVICE float load_number(const void* tensor, int32_t dtype, int64_t offset) {
  float x = 0;
  tile::with_type(dtype, [&](auto* type) {
    using Element = std::remove_pointer_t<decltype(type)>;
    x = tile::widen(tile::load_global(static_cast<const Element*>(tensor) + offset));
  });
  return x;
}

// Rounded to that type; added to what is there if `add`.
FOVEA_DEVICE void store_number(void* tensor, int32_t dtype, int64_t offset, float x, bool add) {
  tile::with_type(dtype, [&](auto* type) {
    using Element = std::remove_pointer_t<decltype(type)>;
    Element* const to = static_cast<Element*>(tensor) + offset;
    tile::store_rounded(to, add ? tile::widen(tile::load_global(to)) + x : x);
  });
}

// phi. NaN where x is.
struct Features {
  int32_t map;

  FOVEA_DEVICE float operator()(float x, float) const {
    if (map == FOVEA_IDENTITY || x > 0) return map == FOVEA_ELU_PLUS_ONE ? x + 1 : x;
    if (map == FOVEA_RELU) return x == x ? 0.0f : x;
    return tile::exp2_approx(x * kLog2e);
  }
  // A gradient of phi(x) to one of x, by phi(x): its slope is 1 above 0, and below exp(x) itself.
  FOVEA_DEVICE float slope(float phi, float gradient) const {
    if (map == FOVEA_IDENTITY) return gradient;
    if (map == FOVEA_RELU) return phi > 0 ? gradient : 0.0f;
    return gradient * tile::minimum_or_nan(1.0f, phi);
  }

  static constexpr float kLog2e = 1.4426950408889634f;
};

// e^(x + number), of decays: finite.
struct Decays {
  FOVEA_DEVICE float operator()(float x, float number) const {
    return tile::exp2_approx(tile::minimum_or_nan(126.0f, (x + number) * Features::kLog2e));
  }
};

struct Unchanged {
  FOVEA_DEVICE float operator()(float x, float) const { return x; }
};
struct Times {
  FOVEA_DEVICE float operator()(float x, float number) const { return x * number; }
};

}  // namespace fovea::linear::cuda
