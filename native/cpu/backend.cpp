// The CPU behind core/backend.h.

#include "core/backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/block.h"
#include "cpu/attention/backend.h"
#include "cpu/tier.h"

namespace fovea {
namespace {

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
    if (!cpu::runs_here(isa)) continue;
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
  return attention::cpu::plan_forward(device, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_attention_plan& plan) {
  return attention::cpu::plan_backward(device, plan);
}

int32_t prepare(fovea_attention_plan& plan) {
  if (!cpu::runs_here(plan.isa)) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "this machine lacks the plan's instruction set, %s",
                plan.kernel);
  }
  return FOVEA_OK;
}

int32_t run(const fovea_attention_plan& plan, const attention::ForwardOperands& operands,
            fovea_attention_call& call, void*, void* scratch, void* stream) {
  if (int32_t status = check_stream(stream, call)) return status;
  return attention::cpu::run_forward(plan, operands, call, scratch);
}

int32_t run_backward(const fovea_attention_plan& plan, const attention::BackwardOperands& operands,
                     fovea_attention_call& call, void* workspace, void* scratch, void* stream) {
  if (int32_t status = check_stream(stream, call)) return status;
  return attention::cpu::run_backward(plan, operands, call, workspace, scratch);
}

}  // namespace backend
}  // namespace fovea
