#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* position_kernels_f16() {
  return kKernels<Precision::kFloat16, true>.data();
}

}  // namespace fovea::attention::cuda
