#include "cuda/attention_kernels.h"

namespace fovea {

AttentionKernel* const* attention_kernels_f16() { return kKernels<Precision::kFloat16>.data(); }

}  // namespace fovea
