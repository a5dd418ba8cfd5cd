#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* cache_position_kernels_bf16() {
  return kKernels<Precision::kBfloat16, true, true>.data();
}

}  // namespace fovea::attention::cuda
