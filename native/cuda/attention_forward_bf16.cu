#include "cuda/attention_kernels.h"

namespace fovea {

AttentionKernel* const* attention_kernels_bf16() { return kKernels<Precision::kBfloat16>.data(); }

}  // namespace fovea
