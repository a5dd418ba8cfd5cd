#include "cuda/backward_kernels.h"

namespace fovea {

const BackwardKernels* backward_kernels_bf16() {
  return kBackwardKernels<Precision::kBfloat16>.data();
}

}  // namespace fovea
