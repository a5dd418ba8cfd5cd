// Between natural logarithms, which callers see, and those of base 2, which kernels take.
#pragma once

namespace fovea {

constexpr float kLog2e = 1.44269504088896340736f;
constexpr double kLn2 = 0.69314718055994530942;

}  // namespace fovea
