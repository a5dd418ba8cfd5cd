#include "cuda/attention/backward_kernels.h"

namespace fovea::attention::cuda {

const BackwardKernels* position_backward_kernels_f32() {
  return kBackwardKernels<Precision::kFloat32, true>.data();
}

}  // namespace fovea::attention::cuda
