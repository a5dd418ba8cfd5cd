#include "cuda/attention/backward_kernels.h"

namespace fovea::attention::cuda {

const BackwardKernels* position_backward_kernels_f16() {
  return kBackwardKernels<Precision::kFloat16, true>.data();
}

}  // namespace fovea::attention::cuda
