#include "cpu/tier.h"

#include <algorithm>
#include <cstdio>

#include "core/block.h"

namespace fovea::cpu {

int32_t pick_tier(const fovea_device_info& device, fovea_plan& plan) {
  if (device.isa < FOVEA_ISA_PORTABLE || device.isa > kBestTier) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "isa is %d, expected portable (1) to %s (%d)", device.isa, kTiers[kBestTier].name, kBestTier);
  }
  if (!(device.isa_available >> device.isa & 1)) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "this device has no %s", kTiers[device.isa].name);
  }
  plan.isa = std::min(device.isa, int32_t{FOVEA_ISA_AVX512});
  return FOVEA_OK;
}

void name_kernel(const char* name, fovea_plan& plan) {
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_%s_%dx%d", name, kTiers[plan.isa].name,
                plan.tile_queries, plan.tile_keys);
}

bool runs_here(int isa) {
  if (isa == FOVEA_ISA_PORTABLE) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (isa == FOVEA_ISA_AVX2) return avx2;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (isa == FOVEA_ISA_AVX512) return avx512;
  if (isa == FOVEA_ISA_AVX512_BF16) return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
  return false;
}

}  // namespace fovea::cpu
