// The CPU behind core/backend.h.

#include "core/backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/block.h"
#include "cpu/backward.h"
#include "cpu/row_tiles.h"
#include "cpu/sequences.h"
#include "cpu/tiers.h"

namespace fovea {
namespace {

bool runs_here(int isa) {
  if (isa == FOVEA_ISA_PORTABLE) return true;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
  if (isa == FOVEA_ISA_AVX2) return avx2;
  if (isa == FOVEA_ISA_AVX512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return false;
}

struct Kernels {
  RunAttention* forward;
  RunBackward* backward;
};

Kernels kernels_of(int isa) {
  switch (isa) {
#if defined(__x86_64__)
    case FOVEA_ISA_AVX2:
      return {attention_avx2, backward_avx2};
    case FOVEA_ISA_AVX512:
      return {attention_avx512, backward_avx512};
#endif
    default:
      return {attention_portable, backward_portable};
  }
}

int32_t check_stream(const void* stream, fovea_attention_call& call) {
  if (stream == nullptr) return FOVEA_OK;
  return fail(call.error, FOVEA_INVALID_ARGUMENT, "stream is not NULL: the CPU takes none");
}

void name_processor(char (&name)[128]) {
  std::snprintf(name, sizeof name, "%s", "CPU");
  std::FILE* file = std::fopen("/proc/cpuinfo", "re");
  if (file == nullptr) return;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char model[128];
    if (std::sscanf(line, "model name : %127[^\n]", model) == 1) {
      std::snprintf(name, sizeof name, "%s", model);
      break;
    }
  }
  std::fclose(file);
}

}  // namespace

namespace backend {

const char* const kName = "cpu";
const int32_t kDeviceKind = FOVEA_DEVICE_CPU;

void describe_build(char (&build)[160]) {
  std::snprintf(build, sizeof build, "g++ %s", __VERSION__);
}

int32_t query(int32_t index, fovea_device_info& device) {
  if (index != 0) {
    return fail(device.error, FOVEA_INVALID_ARGUMENT,
                "device index is %d, expected 0: there is one CPU", index);
  }
  device.kind = FOVEA_DEVICE_CPU;
  for (int isa = FOVEA_ISA_PORTABLE; isa <= FOVEA_ISA_AVX512; ++isa) {
    if (!runs_here(isa)) continue;
    device.isa = isa;
    device.isa_available |= 1 << isa;
  }
  device.multiprocessors = int32_t(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  device.cache_bytes = std::max(0L, sysconf(_SC_LEVEL2_CACHE_SIZE));
  device.memory_bytes = std::max(0L, sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  name_processor(device.name);
  return FOVEA_OK;
}

int32_t plan(const fovea_device_info& device, fovea_attention_plan& plan) {
  return plan_cpu(device, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_attention_plan& plan) {
  return plan_cpu_backward(device, plan);
}

int32_t prepare(fovea_attention_plan& plan) {
  if (!runs_here(plan.isa)) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "this machine lacks the plan's instruction set, %s",
                plan.kernel);
  }
  return FOVEA_OK;
}

int32_t run(const fovea_attention_plan& plan, const AttentionOperands& operands,
            fovea_attention_call& call, void*, void* scratch, void* stream) {
  if (int32_t status = check_stream(stream, call)) return status;
  RunAttention* const kernel = kernels_of(plan.isa).forward;
  const fovea_attention_spec& spec = plan.spec;
  if (int32_t status = check_offsets(plan, operands, call)) return status;
  const RowTiles tiles(spec, plan.tile_queries);
  for (int64_t item = call.begin; item < call.end; ++item) {
    const RowTile tile = tiles.find(item / spec.key_heads, operands.cu_seqlens_q);
    AttentionWork work;
    // The tiles that see most keys first, so that the last worker ends on a short one.
    work.tile = spec.causal ? tile.count - 1 - tile.index : tile.index;
    work.batch = tile.sequence;
    work.key_head = item % spec.key_heads;
    if (int32_t status = locate(spec, operands, work.batch, work.sequence, call)) return status;
    kernel(plan, call, operands, work, scratch);
  }
  return FOVEA_OK;
}

int32_t run_backward(const fovea_attention_plan& plan, const BackwardOperands& operands,
                     fovea_attention_call& call, void* workspace, void* scratch, void* stream) {
  if (int32_t status = check_stream(stream, call)) return status;
  return run_cpu_backward(plan, operands, call, kernels_of(plan.isa).backward, workspace, scratch);
}

}  // namespace backend
}  // namespace fovea
