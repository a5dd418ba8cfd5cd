#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* position_kernels_bf16() {
  return kKernels<Precision::kBfloat16, true>.data();
}

}  // namespace fovea::attention::cuda
