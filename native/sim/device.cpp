// The simulator in place of the CUDA runtime: devices that are only described, launches that run
// before they return; or, where the stub of libcuda is loaded, when its stream comes to them.

#include "cuda/device.h"

#include <dlfcn.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>

#include "core/block.h"
#include "sim/random.h"
#include "sim/sim.h"

namespace fovea::device {
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

int64_t bytes_of(int32_t dtype) { return dtype == FOVEA_FLOAT32 ? 4 : 2; }

// The memory that an attention plan lets its kernel touch, operand by operand.
class Reach {
 public:
  struct Dimension {
    int64_t size, stride;
  };

  // Rows of `row` elements at every combination of indices; strides may be negative.
  void add(const char* name, const void* address, bool writable, int64_t element, int64_t row,
           std::initializer_list<Dimension> dimensions) {
    if (address == nullptr || row == 0) return;
    int64_t low = 0, high = row;
    for (const Dimension& dimension : dimensions) {
      if (dimension.size == 0) return;
      const int64_t step = dimension.stride * (dimension.size - 1);
      (step < 0 ? low : high) += step;
    }
    extents.push_back({static_cast<const char*>(address) + low * element,
                       size_t((high - low) * element), writable, name});
  }

  std::vector<sim::Extent> extents;
};

std::vector<sim::Extent> reach(const fovea_attention_spec& spec,
                               const AttentionOperands& operands) {
  const int64_t batch = spec.packed ? 1 : spec.batch;
  const int64_t queries = spec.packed ? spec.query_total : spec.query_length;
  const int64_t keys = spec.packed ? spec.key_total : spec.key_length;
  const int64_t heads = spec.query_heads;
  Reach all;
  const auto tensor = [&](const char* name, const void* address, bool writable, int32_t dtype,
                          int64_t row, const int64_t(&stride)[3], int64_t positions,
                          int64_t tensor_heads) {
    all.add(name, address, writable, bytes_of(dtype), row,
            {{batch, stride[0]}, {positions, stride[1]}, {tensor_heads, stride[2]}});
  };
  const auto scores = [&](const char* name, const void* address, bool writable, int32_t dtype,
                          const int64_t(&stride)[3]) {
    all.add(name, address, writable, bytes_of(dtype), spec.key_length,
            {{batch, stride[0]}, {heads, stride[1]}, {queries, stride[2]}});
  };
  const auto list = [&](const char* name, const void* address, int64_t count) {
    all.add(name, address, false, 4, count, {});
  };
  tensor("query", operands.query, false, spec.dtype, spec.head_dim, spec.query_stride, queries,
         heads);
  tensor("key", operands.key, false, spec.dtype, spec.head_dim, spec.key_stride, keys,
         spec.key_heads);
  tensor("value", operands.value, false, spec.dtype, spec.value_head_dim, spec.value_stride, keys,
         spec.key_heads);
  tensor("out", operands.out, true, spec.out_dtype, spec.value_head_dim, spec.out_stride, queries,
         heads);
  scores("bias", operands.bias, false, spec.bias_dtype, spec.bias_stride);
  scores("weights", operands.weights, true, FOVEA_FLOAT32, spec.weights_stride);
  all.add("lse", operands.lse, true, 4, queries,
          {{batch, spec.lse_stride[0]}, {heads, spec.lse_stride[1]}});
  all.add("alibi_slopes", operands.alibi_slopes, false, 4, 1,
          {{spec.batch, spec.alibi_stride[0]}, {heads, spec.alibi_stride[1]}});
  list("sinks", operands.sinks, heads);
  list("cu_seqlens_q", operands.cu_seqlens_q, spec.batch + 1);
  list("cu_seqlens_k", operands.cu_seqlens_k, spec.batch + 1);
  list("query_lengths", operands.query_lengths, spec.batch);
  list("key_lengths", operands.key_lengths, spec.batch);
  return std::move(all.extents);
}

// FOVEA_SIM_SCHEDULE: eager, lazy, random or random:SEED. False where it is anything else.
bool read_schedule(const char* text, sim::Options& options) {
  constexpr char kSeed[] = "random:";
  if (text == nullptr || std::strcmp(text, "random") == 0) return true;
  if (std::strcmp(text, "eager") == 0) {
    options.schedule = sim::Schedule::kEager;
    return true;
  }
  if (std::strcmp(text, "lazy") == 0) {
    options.schedule = sim::Schedule::kLazy;
    return true;
  }
  if (std::strncmp(text, kSeed, sizeof kSeed - 1) != 0) return false;
  const char* const digits = text + sizeof kSeed - 1;
  char* end = nullptr;
  errno = 0;
  options.seed = std::strtoull(digits, &end, 10);
  return *digits >= '0' && *digits <= '9' && *end == '\0' && errno == 0;
}

// A launch is scheduled alike whenever it is made again, and unlike others.
uint64_t seed_of(uint32_t blocks, const AttentionParams& params) {
  uint64_t seed = 0;
  for (const uint64_t part :
       {uint64_t{blocks}, uint64_t(params.first_item), params.dropout_seed,
        uint64_t{params.dropout_offset}, uint64_t(params.pairs), uint64_t(params.query_length),
        uint64_t(params.key_length), uint64_t(params.head_dim)}) {
    seed = sim::Random(seed ^ part).next();
  }
  return seed;
}

// A launch that the stub keeps in a stream, or in a graph to make it again and again.
struct Queued {
  sim::Launch launch;
  AttentionKernel* kernel;
  AttentionParams params;
  std::string error;

  void run() {
    sim::launch(launch, [this] { kernel(params); });
  }
};

// What stub/streams.cpp defines. Null without the stub: a real driver has no such function.
using QueueFunction = int(void* stream, const char* (*run)(void*), void (*release)(void*), void*);

QueueFunction* find_queue() {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  return driver == nullptr ? nullptr
                           : reinterpret_cast<QueueFunction*>(dlsym(driver, "fovea_stub_launch"));
}

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

const char* const kBackend = "sim";

void describe_build(char (&build)[160]) {
  std::snprintf(build, sizeof build, "simulator, g++ %s", __VERSION__);
}

int32_t query(int32_t index, fovea_device_info& device) {
  if (index < 0 || index >= int32_t(std::size(kModels))) {
    return fail(device.error, FOVEA_INVALID_ARGUMENT,
                "device index is %d, expected 0 to %d: the simulated devices", index,
                int32_t(std::size(kModels)) - 1);
  }
  const Model& model = kModels[index];
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

int32_t prepare(const Kernel& kernel, char (&error)[FOVEA_ERROR_LENGTH]) {
  if (kernel.shared_bytes <= kMostShared) return FOVEA_OK;
  return fail(error, FOVEA_DEVICE_ERROR,
              "%s needs %d bytes of shared memory, but no device has more than %d", kernel.name,
              kernel.shared_bytes, kMostShared);
}

int32_t launch(const Kernel& kernel, uint32_t blocks, const AttentionParams& params,
               const fovea_attention_plan& plan, const AttentionOperands& operands, void* stream,
               char (&error)[FOVEA_ERROR_LENGTH]) {
  if (int32_t status = prepare(kernel, error)) return status;
  try {
    sim::Options options;
    options.seed = seed_of(blocks, params);
    const char* const schedule = std::getenv("FOVEA_SIM_SCHEDULE");
    if (!read_schedule(schedule, options)) {
      return fail(error, FOVEA_DEVICE_ERROR,
                  "FOVEA_SIM_SCHEDULE is \"%s\", expected eager, lazy, random or random:SEED",
                  schedule);
    }
    auto queued = std::make_unique<Queued>(
        Queued{{kernel.name, blocks, uint32_t(kernel.threads), size_t(kernel.shared_bytes),
                reach(plan.spec, operands), options},
               kernel.function,
               params,
               {}});
    static QueueFunction* const queue = find_queue();
    if (queue == nullptr) {
      queued->run();
      return FOVEA_OK;
    }
    const auto release = [](void* argument) { delete static_cast<Queued*>(argument); };
    const int result = queue(stream, run_queued, release, queued.release());
    return result == 0
               ? int32_t{FOVEA_OK}
               : fail(error, FOVEA_DEVICE_ERROR, "launch of %s: CUresult %d", kernel.name, result);
  } catch (const std::exception& exception) {
    return fail(error, FOVEA_DEVICE_ERROR, "%s", exception.what());
  }
}

}  // namespace fovea::device
