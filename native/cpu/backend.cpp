// The CPU behind core/backend.h.

#include "cpu/backend.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/block.h"
#include "cpu/tier.h"

namespace fovea {

namespace {

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
  for (int isa = FOVEA_ISA_PORTABLE; isa <= cpu::kLastTier; ++isa) {
    if (!cpu::runs_here(isa)) continue;
    device.isa_available |= 1 << isa;
    if (cpu::is_fast_here(isa)) device.isa = isa;
  }
  device.multiprocessors = int32_t(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  device.cache_bytes = std::max(0L, sysconf(_SC_LEVEL2_CACHE_SIZE));
  device.memory_bytes = std::max(0L, sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  name_processor(device.name);
  return FOVEA_OK;
}

int32_t load_modifier(int64_t, int32_t, int32_t, const void*, char (&error)[FOVEA_ERROR_LENGTH]) {
  return fail(error, FOVEA_UNSUPPORTED, "kernels of the CPU run programs as they are");
}

}  // namespace backend

namespace cpu {

int32_t prepare(fovea_plan& plan) {
  if (!runs_here(plan.isa)) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "this machine lacks the plan's instruction set, %s",
                plan.kernel);
  }
  return FOVEA_OK;
}

}  // namespace cpu
}  // namespace fovea
