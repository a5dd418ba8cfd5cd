// A library that plans what it is told to and computes nothing: a backward run writes down what it
// was given. Compiled by Recorder.java.

#include <cstdio>
#include <cstring>

#include "fovea.h"

namespace {

// Read by Recorder.java: 64-bit words, as they lie here.
struct Entry {
  int64_t phase, begin, end;
  uint64_t seed;
  int64_t offset;
  const void* addresses[64];  // as many as there are
};

struct Log {
  int64_t count;
  Entry entries[];
};

constexpr int64_t kMostEntries = 100;

}  // namespace

int32_t fovea_abi_version(void) { return FOVEA_ABI_VERSION; }

int32_t fovea_library_query(fovea_library_info* info) {
  std::strcpy(info->backend, "recorder");
  return FOVEA_OK;
}

int32_t fovea_device_query(int32_t, fovea_device_info*) { return FOVEA_OK; }

int32_t fovea_plan_attention(const fovea_attention_spec* spec, const fovea_device_info*,
                             fovea_plan* plan) {
  const bool backward = spec->pass == FOVEA_BACKWARD;
  if (backward && spec->gradient_dtype == FOVEA_BFLOAT16) {
    std::strcpy(plan->error, "there is no backward pass");
    return FOVEA_UNSUPPORTED;
  }
  plan->abi_version = FOVEA_ABI_VERSION;
  plan->device_kind = FOVEA_DEVICE_CPU;
  plan->pass = spec->pass;
  plan->flops = 1e9;
  if (backward) {
    plan->phases = 4;
    plan->items[0] = 3;
    plan->items[2] = 7;
    plan->workspace_bytes = 200;
    plan->scratch_bytes = 10;
  } else {
    plan->phases = 1;
    plan->items[0] = 4;
  }
  std::memcpy(plan->spec, spec, sizeof *spec);
  std::strcpy(plan->kernel, backward ? "backward" : "forward");
  return FOVEA_OK;
}

int32_t fovea_prepare(fovea_plan*) { return FOVEA_OK; }

int32_t fovea_load_modifier(int64_t, int32_t, int32_t, const void*, char*) {
  return FOVEA_UNSUPPORTED;
}

// What functions of runs are made of: all behind their call. The log lies where the query does: that is
// memory which the test can read. Offset 99 fails.
extern "C" int32_t record_backward(fovea_call* call, void* const* addresses, int count) {
  if (call->dropout_offset == 99) {
    std::strcpy(call->error, "offset 99 is to fail");
    return FOVEA_INVALID_ARGUMENT;
  }
  Log* const log = static_cast<Log*>(addresses[0]);
  const int64_t number = __atomic_fetch_add(&log->count, 1, __ATOMIC_SEQ_CST);
  if (number < kMostEntries) {
    Entry& entry = log->entries[number];
    entry = {call->phase, call->begin, call->end, call->dropout_seed, call->dropout_offset, {}};
    std::memcpy(entry.addresses, addresses, sizeof(void*) * size_t(count));
  }
  return FOVEA_OK;
}

extern "C" int32_t record_forward(fovea_call*, void* const*, int) { return FOVEA_OK; }
