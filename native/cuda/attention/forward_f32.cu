#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* attention_kernels_f32() { return kKernels<Precision::kFloat32>.data(); }
AttentionKernel* const* attention_kernels_tf32() { return kKernels<Precision::kTf32>.data(); }

}  // namespace fovea::attention::cuda
