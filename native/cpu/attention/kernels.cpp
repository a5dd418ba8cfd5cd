#include "cpu/attention/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::attention::cpu {

FOVEA_TIERS(FOVEA_DECLARE_KERNELS)
#if defined(__x86_64__)
namespace avx512_bf16 {
RunForward run_forward;
}
#endif

Kernels kernels_of(int isa) {
  switch (isa) {
    FOVEA_TIERS(FOVEA_KERNELS_CASE)
#if defined(__x86_64__)
    case FOVEA_ISA_AVX512_BF16:
      return {avx512_bf16::run_forward, nullptr};
#endif
    default:
      return {};
  }
}

}  // namespace fovea::attention::cpu
