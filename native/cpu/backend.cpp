// The CPU behind core/backend.h.

#include "core/backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/block.h"
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

RunAttention* kernel_of(int isa) {
  switch (isa) {
#if defined(__x86_64__)
    case FOVEA_ISA_AVX2:
      return attention_avx2;
    case FOVEA_ISA_AVX512:
      return attention_avx512;
#endif
    default:
      return attention_portable;
  }
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

// Cumulative lengths rise from 0 to their total, plain lengths lie within the longest.
int32_t check_ends(const char* name, const int32_t* cu, int64_t batch, int64_t total,
                   fovea_attention_call& call) {
  if (cu[0] == 0 && cu[batch] == total) return FOVEA_OK;
  return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s goes from %d to %d, expected from 0 to %lld",
              name, cu[0], cu[batch], (long long)total);
}

int32_t locate_packed(const char* name, const int32_t* cu, int64_t batch, int64_t longest,
                      int64_t total, int64_t& start, int64_t& length, fovea_attention_call& call) {
  start = cu[batch];
  length = int64_t{cu[batch + 1]} - start;
  if (start < 0 || length < 0 || start + length > total || length > longest) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "%s[%lld] is %d and %s[%lld] is %d, expected rising by at most %lld within "
                "[0, %lld]",
                name, (long long)batch, cu[batch], name, (long long)batch + 1, cu[batch + 1],
                (long long)longest, (long long)total);
  }
  return FOVEA_OK;
}

int32_t locate_padded(const char* name, const int32_t* lengths, int64_t batch, int64_t longest,
                      int64_t& length, fovea_attention_call& call) {
  length = lengths == nullptr ? longest : lengths[batch];
  if (length < 0 || length > longest) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s[%lld] is %lld, expected 0 to %lld", name,
                (long long)batch, (long long)length, (long long)longest);
  }
  return FOVEA_OK;
}

int32_t locate(const fovea_attention_spec& spec, const AttentionOperands& operands, int64_t batch,
               Sequence& sequence, fovea_attention_call& call) {
  sequence = {};
  if (spec.packed) {
    if (int32_t status =
            locate_packed("cu_seqlens_q", operands.cu_seqlens_q, batch, spec.query_length,
                          spec.query_total, sequence.query_start, sequence.query_length, call)) {
      return status;
    }
    return locate_packed("cu_seqlens_k", operands.cu_seqlens_k, batch, spec.key_length,
                         spec.key_total, sequence.key_start, sequence.key_length, call);
  }
  if (int32_t status = locate_padded("query_lengths", operands.query_lengths, batch,
                                     spec.query_length, sequence.query_length, call)) {
    return status;
  }
  return locate_padded("key_lengths", operands.key_lengths, batch, spec.key_length,
                       sequence.key_length, call);
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

int32_t plan_backward(const fovea_device_info&, fovea_attention_plan& plan) {
  return fail(plan.error, FOVEA_UNSUPPORTED, "there is no backward pass");
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
  if (stream != nullptr) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "stream is not NULL: the CPU takes none");
  }
  RunAttention* const kernel = kernel_of(plan.isa);
  const fovea_attention_spec& spec = plan.spec;
  if (spec.packed) {
    if (int32_t status =
            check_ends("cu_seqlens_q", operands.cu_seqlens_q, spec.batch, spec.query_total, call)) {
      return status;
    }
    if (int32_t status =
            check_ends("cu_seqlens_k", operands.cu_seqlens_k, spec.batch, spec.key_total, call)) {
      return status;
    }
  }
  const int64_t sequences = spec.batch * spec.key_heads;
  const int64_t tiles = sequences == 0 ? 0 : plan.items[0] / sequences;
  for (int64_t item = call.begin; item < call.end; ++item) {
    AttentionWork work;
    // The tiles that see most keys first, so that the last worker ends on a short one.
    const int64_t rank = item / sequences;
    work.tile = spec.causal ? tiles - 1 - rank : rank;
    work.batch = item % sequences / spec.key_heads;
    work.key_head = item % spec.key_heads;
    if (int32_t status = locate(spec, operands, work.batch, work.sequence, call)) return status;
    kernel(plan, call, operands, work, scratch);
  }
  return FOVEA_OK;
}

int32_t run_backward(const fovea_attention_plan&, const BackwardOperands&, fovea_attention_call&,
                     void*, void*, void*) {
  return FOVEA_UNSUPPORTED;
}

}  // namespace backend
}  // namespace fovea
