#include "cuda/attention/fold_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* cache_kernels_f16() {
  return kKernels<Precision::kFloat16, false, true>.data();
}
AttentionKernel* const* fold_kernels_f16() { return kFolds<Precision::kFloat16>.data(); }

}  // namespace fovea::attention::cuda
