#include "cuda/attention_kernels.h"

namespace fovea {

AttentionKernel* const* attention_kernels_f32() { return kKernels<Precision::kFloat32>.data(); }
AttentionKernel* const* attention_kernels_tf32() { return kKernels<Precision::kTf32>.data(); }

}  // namespace fovea
