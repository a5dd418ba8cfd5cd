#include "cpu/tier.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdio>

#include "core/block.h"

namespace fovea::cpu {

namespace {

#if defined(__x86_64__)
// Linux saves tiles, 8 KiB of each thread, for processes that have asked for that.
bool may_use_tiles() {
#if defined(FOVEA_INTERPRETED_TILES)
  return true;
#endif
  unsigned eax, ebx, ecx, edx;
  constexpr unsigned kTiles = 1u << 24, kBfloat16 = 1u << 22;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  if ((edx & kTiles) == 0 || (edx & kBfloat16) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // of arch_prctl
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

}  // namespace

int32_t pick_tier(const fovea_device_info& device, fovea_plan& plan) {
  if (device.isa < FOVEA_ISA_PORTABLE || device.isa > kLastTier) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "isa is %d, expected portable (1) to %s (%d)", device.isa, kTiers[kLastTier].name, kLastTier);
  }
  if (!(device.isa_available >> device.isa & 1)) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "this device has no %s", kTiers[device.isa].name);
  }
  plan.isa = is_of_pairs(device.isa) ? FOVEA_ISA_AVX512 : device.isa;
  return FOVEA_OK;
}

void name_kernel(const char* name, fovea_plan& plan) {
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_%s_%dx%d", name, kTiers[plan.isa].name,
                plan.tile_queries, plan.tile_keys);
}

bool runs_here(int isa) {
#if defined(__aarch64__)
  return isa == FOVEA_ISA_NEON;
#endif
  if (isa == FOVEA_ISA_PORTABLE) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (isa == FOVEA_ISA_AVX2) return avx2;
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (isa == FOVEA_ISA_AVX512) return avx512;
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  if (isa == FOVEA_ISA_AVX512_BF16) return bf16;
  if (isa == FOVEA_ISA_AMX) return bf16 && may_use_tiles();
#endif
  return false;
}

bool is_fast_here(int isa) {
#if defined(__x86_64__)
  // Cores of AMD add pairs at the rate of fused multiply-adds. Those of Intel take more than twice as long for them:
  // attention in bfloat16 at 0.6 of the speed of float32, measured on a fifth generation Xeon.
  if (isa == FOVEA_ISA_AVX512_BF16) return __builtin_cpu_is("amd");
#endif
  return runs_here(isa);
}

}  // namespace fovea::cpu
