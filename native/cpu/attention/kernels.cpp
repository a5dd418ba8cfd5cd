#include "cpu/attention/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::attention::cpu {

FOVEA_TIERS(FOVEA_DECLARE_KERNELS)
#if defined(__x86_64__)
FOVEA_DECLARE_KERNELS(avx512_bf16, FOVEA_ISA_AVX512_BF16)
FOVEA_DECLARE_KERNELS(amx, FOVEA_ISA_AMX)
#endif

Kernels kernels_of(int isa) {
  switch (isa) {
    FOVEA_TIERS(FOVEA_KERNELS_CASE)
#if defined(__x86_64__)
    FOVEA_KERNELS_CASE(avx512_bf16, FOVEA_ISA_AVX512_BF16)
    FOVEA_KERNELS_CASE(amx, FOVEA_ISA_AMX)
#endif
    default:
      return {};
  }
}

}  // namespace fovea::attention::cpu
