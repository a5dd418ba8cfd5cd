#include "cuda/attention/backward_kernels.h"

namespace fovea::attention::cuda {

const BackwardKernels* backward_kernels_bf16() {
  return kBackwardKernels<Precision::kBfloat16>.data();
}

}  // namespace fovea::attention::cuda
