#include "cuda/attention/fold_kernels.h"

namespace fovea::attention::cuda {

AttentionKernel* const* cache_kernels_bf16() {
  return kKernels<Precision::kBfloat16, false, true>.data();
}
AttentionKernel* const* fold_kernels_bf16() { return kFolds<Precision::kBfloat16>.data(); }

}  // namespace fovea::attention::cuda
