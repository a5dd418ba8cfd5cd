#include "cuda/attention/backward_kernels.h"

namespace fovea::attention::cuda {

const BackwardKernels* backward_kernels_f16() {
  return kBackwardKernels<Precision::kFloat16>.data();
}

}  // namespace fovea::attention::cuda
