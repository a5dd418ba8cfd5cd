// What a backend library answers behind the functions of fovea.h. core/entry.cpp has checked blocks, kind of
// device, the spec by its table, and presence of operands before it asks.
#pragma once

#include "core/operation.h"

namespace fovea::backend {

// "cpu", "cuda", "sim".
extern const char* const kName;
// FOVEA_DEVICE_* that this library plans for.
extern const int32_t kDeviceKind;

// What the library was compiled with.
void describe_build(char (&build)[160]);

// Describes device `index`; the reason of a failure goes to device.error.
int32_t query(int32_t index, fovea_device_info& device);

// What a run is given beside its call.
struct Run {
  const Operation& operation;
  const fovea_plan& plan;
  const void* operands;  // the struct of its operation and pass
  void* workspace;
  void* scratch;
  void* stream;
};

// An operation on this backend, by pass, null for one that the operation does not have: each that the
// backend has defines `kKernels` in its namespace.
struct Kernels {
  // Pick kernel, tiles and memory; the spec is resolved.
  int32_t (*plan[2])(const fovea_device_info& device, fovea_plan& plan);
  // Run one or more items of a phase.
  int32_t (*run[2])(const Run& run, fovea_call& call);
  int32_t (*prepare)(fovea_plan& plan);
};

// As fovea_load_modifier.
int32_t load_modifier(int64_t key, int32_t pass, int32_t variant, const void* image,
                      char (&error)[FOVEA_ERROR_LENGTH]);

// Of the operation of that id; null if there is none.
const Kernels* find(int32_t operation);

}  // namespace fovea::backend
