// Of logarithms: natural ones, which callers see, and those of base 2, which kernels take.
#pragma once

namespace fovea {

constexpr float kLog2e = 1.44269504088896340736f;
constexpr double kLn2 = 0.69314718055994530942;

// From here on, in units of log2, an lse in float32 says so little of the logarithm of a row's sum, 2^-13
// and less, that a backward pass computes the row's statistics again. (A row whose every bias is -1e9 had
// gradients that were as many times too large as it had keys.)
constexpr float kLargeLse = 4096;

}  // namespace fovea
