#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* cache_position_kernels_f32() {
  return kKernels<Precision::kFloat32, true, true>.data();
}

}  // namespace fovea::attention::cuda
