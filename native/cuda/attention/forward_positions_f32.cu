#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* position_kernels_f32() {
  return kKernels<Precision::kFloat32, true>.data();
}

}  // namespace fovea::attention::cuda
