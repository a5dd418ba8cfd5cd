#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* attention_kernels_bf16() { return kKernels<Precision::kBfloat16>.data(); }

}  // namespace fovea::attention::cuda
