// The simulator in place of the CUDA runtime: devices that are only described, launches that run
// before they return; or, where the stub of libcuda is loaded, when its stream comes to them. Without
// the stub a stream is the index of a device, so that NULL is on the first.

#include "cuda/device.h"

#include <dlfcn.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

#include "core/block.h"
#include "sim/random.h"
#include "sim/reach.h"
#include "sim/sim.h"

namespace fovea::device {

const bool kRunsPrograms = true;

namespace {

struct Model {
  const char* name;
  int32_t compute_capability, multiprocessors;
  int32_t shared_memory;  // that a block may opt into
  int64_t l2_mib, memory_gib;
};

constexpr Model kModels[] = {
    {"NVIDIA A100-SXM4-80GB", 80, 108, 166912, 40, 80},
    {"NVIDIA L40S", 89, 142, 101376, 96, 48},
    {"NVIDIA H200", 90, 132, 232448, 50, 141},
    {"NVIDIA B200", 100, 148, 232448, 126, 180},
};
constexpr int32_t kMostShared = 232448;
// Of approximations, the same for every launch: a row has the same bits in all of them.
constexpr uint64_t kArithmeticSeed = 1;

// "NAME" or "NAME:SEED", which changes `seed`. False where it is anything else.
bool read_seeded(const char* text, const char* name, uint64_t& seed) {
  const size_t length = std::strlen(name);
  if (std::strncmp(text, name, length) != 0) return false;
  if (text[length] == '\0') return true;
  const char* const digits = text + length + 1;
  char* end = nullptr;
  errno = 0;
  seed = std::strtoull(digits, &end, 10);
  return text[length] == ':' && *digits >= '0' && *digits <= '9' && *end == '\0' && errno == 0;
}

// FOVEA_SIM_SCHEDULE: eager, lazy, random or random:SEED. False where it is anything else.
bool read_schedule(const char* text, sim::Options& options) {
  if (text == nullptr) return true;
  if (std::strcmp(text, "eager") == 0) {
    options.schedule = sim::Schedule::kEager;
    return true;
  }
  if (std::strcmp(text, "lazy") == 0) {
    options.schedule = sim::Schedule::kLazy;
    return true;
  }
  return read_seeded(text, "random", options.seed);
}

// FOVEA_SIM_ARITHMETIC: hardware or hardware:SEED, or nearest. False where it is anything else.
bool read_arithmetic(const char* text, int32_t compute_capability, sim::Arithmetic& arithmetic) {
  if (text != nullptr && std::strcmp(text, "nearest") == 0) return true;
  arithmetic = {compute_capability < 90 ? sim::kAmpere : sim::kHopper, kArithmeticSeed};
  return text == nullptr || read_seeded(text, "hardware", arithmetic.seed);
}

// A launch is scheduled alike whenever it is made again, and unlike others.
uint64_t seed_of(const backend::Run& run, const fovea_call& call) {
  uint64_t seed = 0;
  const auto join = [&](uint64_t part) { seed = sim::Random(seed ^ part).next(); };
  for (const uint64_t part : {uint64_t(call.end - call.begin), uint64_t(call.phase),
                              uint64_t(call.begin), call.dropout_seed,
                              uint64_t{call.dropout_offset}}) {
    join(part);
  }
  for (const Size& size : run.operation.sizes) join(uint64_t(read_wide(run.plan.spec, size.offset)));
  return seed;
}

// A launch that the stub keeps in a stream, or in a graph to make it again and again.
struct Queued {
  sim::Launch launch;
  Kernel kernel;
  std::vector<char> params;
  std::string error;

  void run() {
    sim::launch(launch, [this] { kernel.call(kernel.function, params.data()); });
  }
};

// What stub/streams.cpp defines. Null without the stub: a real driver has no such function.
using QueueFunction = int(void* stream, const char* (*run)(void*), void (*release)(void*), void*);

QueueFunction* find_queue() {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  return driver == nullptr ? nullptr
                           : reinterpret_cast<QueueFunction*>(dlsym(driver, "fovea_stub_launch"));
}

sim::Traffic* traffic_of_devices = nullptr;

// The text of a failure, or null.
const char* run_queued(void* argument) {
  auto& queued = *static_cast<Queued*>(argument);
  try {
    queued.run();
    return nullptr;
  } catch (const std::exception& exception) {
    queued.error = exception.what();
    return queued.error.c_str();
  }
}

}  // namespace

}  // namespace fovea::device

void fovea::sim::count_traffic_of_devices(Traffic* traffic) {
  device::traffic_of_devices = traffic;
}

namespace fovea::device {

int32_t prepare(const Kernel& kernel, char (&error)[FOVEA_ERROR_LENGTH]) {
  if (kernel.shared_bytes <= kMostShared) return FOVEA_OK;
  return fail(error, FOVEA_DEVICE_ERROR,
              "%s needs %d bytes of shared memory, but no device has more than %d", kernel.name,
              kernel.shared_bytes, kMostShared);
}

// Its kernels run programs as they are.
int32_t load_image(const void*, Image&, char (&error)[FOVEA_ERROR_LENGTH]) {
  return fail(error, FOVEA_UNSUPPORTED, "the simulator takes no machine code");
}
int32_t find_kernel(const Image&, const char*, const void*&, char (&error)[FOVEA_ERROR_LENGTH]) {
  return fail(error, FOVEA_UNSUPPORTED, "the simulator takes no machine code");
}
int32_t capability() { return 0; }

int32_t encode(const TensorBoxes& boxes, TensorMap& map, char (&error)[FOVEA_ERROR_LENGTH]) {
  char why[120];
  if (!check_boxes(boxes, why, sizeof why)) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "a tensor map %s", why);
  }
  map = sim::encode(boxes);
  return FOVEA_OK;
}

int32_t launch(const Kernel& kernel, const void* params, const backend::Run& run, fovea_call& call, bool) {
  if (int32_t status = prepare(kernel, call.error)) return status;
  const auto blocks = uint32_t(call.end - call.begin);
  static QueueFunction* const queue = find_queue();
  // A stream of the stub does not say whose it is.
  const size_t index = queue == nullptr ? reinterpret_cast<uintptr_t>(run.stream) : 0;
  if (index >= std::size(kModels)) {
    return fail(call.error, FOVEA_DEVICE_ERROR, "stream %p is the index of no simulated device", run.stream);
  }
  try {
    sim::Options options;
    options.seed = seed_of(run, call);
    options.traffic = traffic_of_devices;
    const char* const schedule = std::getenv("FOVEA_SIM_SCHEDULE");
    if (!read_schedule(schedule, options)) {
      return fail(call.error, FOVEA_DEVICE_ERROR,
                  "FOVEA_SIM_SCHEDULE is \"%s\", expected eager, lazy, random or random:SEED",
                  schedule);
    }
    const char* const arithmetic = std::getenv("FOVEA_SIM_ARITHMETIC");
    if (!read_arithmetic(arithmetic, kModels[index].compute_capability, options.arithmetic)) {
      return fail(call.error, FOVEA_DEVICE_ERROR,
                  "FOVEA_SIM_ARITHMETIC is \"%s\", expected nearest, hardware or hardware:SEED",
                  arithmetic);
    }
    const char* const bytes = static_cast<const char*>(params);
    auto queued =
        std::make_unique<Queued>(Queued{{kernel.name, blocks, uint32_t(kernel.threads),
                                         size_t(kernel.shared_bytes), sim::reach(run), options, kernel.has_engine},
                                        kernel,
                                        {bytes, bytes + kernel.params_bytes},
                                        {}});
    if (queue == nullptr) {
      queued->run();
      return FOVEA_OK;
    }
    const auto release = [](void* argument) { delete static_cast<Queued*>(argument); };
    const int result = queue(run.stream, run_queued, release, queued.release());
    return result == 0
               ? int32_t{FOVEA_OK}
               : fail(call.error, FOVEA_DEVICE_ERROR, "launch of %s: CUresult %d", kernel.name, result);
  } catch (const std::exception& exception) {
    return fail(call.error, FOVEA_DEVICE_ERROR, "%s", exception.what());
  }
}

}  // namespace fovea::device

namespace fovea::backend {

const char* const kName = "sim";
const int32_t kDeviceKind = FOVEA_DEVICE_CUDA;

void describe_build(char (&build)[160]) {
  std::snprintf(build, sizeof build, "simulator, g++ %s", __VERSION__);
}

int32_t query(int32_t index, fovea_device_info& device) {
  if (index < 0 || index >= int32_t(std::size(device::kModels))) {
    return fail(device.error, FOVEA_INVALID_ARGUMENT,
                "device index is %d, expected 0 to %d: the simulated devices", index,
                int32_t(std::size(device::kModels)) - 1);
  }
  const device::Model& model = device::kModels[index];
  device.kind = FOVEA_DEVICE_CUDA;
  device.index = index;
  device.compute_capability = model.compute_capability;
  device.multiprocessors = model.multiprocessors;
  device.shared_memory = model.shared_memory;
  device.cache_bytes = model.l2_mib << 20;
  device.memory_bytes = model.memory_gib << 30;
  std::snprintf(device.name, sizeof device.name, "%s (simulated)", model.name);
  return FOVEA_OK;
}

}  // namespace fovea::backend
