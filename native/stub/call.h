// What every function of the stub goes through.
#pragma once

#include "machine.h"

#define FOVEA_STUB extern "C" __attribute__((visibility("default")))

namespace fovea::stub {

inline Machine& machine() { return Machine::get(); }

// Counts a call and runs it, under the lock, unless it is to fail.
template <typename Body>
int call(const char* function, bool needs_context, Body body) {
  const std::lock_guard lock(machine().mutex);
  ++machine().calls[function];
  const auto failure = machine().failures.find(function);
  if (failure != machine().failures.end()) {
    const int result = failure->second;
    machine().failures.erase(failure);
    return result;
  }
  if (!machine().initialized) return kNotInitialized;
  if (machine().lost != 0) return machine().lost;
  if (needs_context && current_device() < 0) return kInvalidContext;
  const int result = body();
  return result == kSuccess ? machine().lost : result;
}

}  // namespace fovea::stub
