#include "cuda/backward_kernels.h"

namespace fovea {

const BackwardKernels* backward_kernels_f32() {
  return kBackwardKernels<Precision::kFloat32>.data();
}

BackwardKernel* backward_statistics_f32() {
  return backward_statistics<Precision::kFloat32>;
}

}  // namespace fovea
