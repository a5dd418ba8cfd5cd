#include "cuda/attention/backward_kernels.h"

namespace fovea::attention::cuda {

const BackwardKernels* backward_kernels_f32() {
  return kBackwardKernels<Precision::kFloat32>.data();
}

}  // namespace fovea::attention::cuda
