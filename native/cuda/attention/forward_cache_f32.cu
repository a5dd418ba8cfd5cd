#include "cuda/attention/fold_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* cache_kernels_f32() {
  return kKernels<Precision::kFloat32, false, true>.data();
}
AttentionKernel* const* fold_kernels_f32() { return kFolds<Precision::kFloat32>.data(); }

}  // namespace fovea::attention::cuda
