#include "cuda/backward_kernels.h"

namespace fovea {

const BackwardKernels* backward_kernels_f16() {
  return kBackwardKernels<Precision::kFloat16>.data();
}

}  // namespace fovea
