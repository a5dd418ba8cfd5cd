// What the factors of products are.
#pragma once

namespace fovea::tile {

// How float32 inputs are multiplied is a choice: kFloat32 is exact to float32, kTf32 rounds factors. kFloat8 is e4m3.
enum class Precision { kFloat16, kBfloat16, kTf32, kFloat32, kFloat8 };

constexpr bool is_half(Precision precision) {
  return precision == Precision::kFloat16 || precision == Precision::kBfloat16;
}

}  // namespace fovea::tile
