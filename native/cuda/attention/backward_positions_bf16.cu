#include "cuda/attention/backward_kernels.h"

namespace fovea::attention::cuda {

const BackwardKernels* position_backward_kernels_bf16() {
  return kBackwardKernels<Precision::kBfloat16, true>.data();
}

}  // namespace fovea::attention::cuda
