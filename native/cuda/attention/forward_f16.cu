#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* attention_kernels_f16() { return kKernels<Precision::kFloat16>.data(); }

}  // namespace fovea::attention::cuda
