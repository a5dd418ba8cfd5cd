#include "cuda/backward_kernels.h"

namespace fovea {

const BackwardKernels* backward_kernels_f32() {
  return kBackwardKernels<Precision::kFloat32>.data();
}

}  // namespace fovea
