// What is done on the GPU with variants of one kind and head dim: checked, then timed in turns.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels.h"

namespace fovea::attention::cuda::variants {

struct Options {
  std::string folder;
  int64_t tokens = 16384;  // of a timed problem
  int64_t width = 2048;    // of its rows: heads times head dim
  double batch_milliseconds = 15;
  double seconds = 95;       // for all
  double step_seconds = 15;  // without a word, and a kernel has hung: a context takes seconds too
};

// One small problem, and one with a causal mask and ragged lengths.
std::vector<Reference> make_references(int head_dim);

// Called with the index of a variant: when its turn begins, with an empty status, and with what
// became of it. `fields` is the inside of a JSON object, "reason" of a failure.
using Report =
    std::function<void(size_t index, const std::string& status, const std::string& fields)>;

// Variants that a result is known of are to be left out by the caller. Throws where the GPU does
// not go on: the variant whose turn it is has broken it.
void measure(const Options& options, const std::vector<const Variant*>& variants,
             const std::vector<Reference>& references, const Report& report);

std::string quoted(const std::string& text);

}  // namespace fovea::attention::cuda::variants
