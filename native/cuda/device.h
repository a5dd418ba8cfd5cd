// Where kernels run: with core/backend.h the few calls in which a GPU and the simulator differ.
// cuda/device.cpp answers them with the CUDA runtime, sim/device.cpp with the simulator; everything
// above is shared.
#pragma once

#include "core/backend.h"
#include "core/tensor_map.h"

namespace fovea::device {

// Whether kernels run the program of a score modifier from its words, which the host may read.
extern const bool kRunsPrograms;

// One instantiation, and what a launch of it needs.
struct Kernel {
  const char* name;
  const void* function;
  void (*call)(const void* function, const void* params);  // as the simulator does
  size_t params_bytes;
  int32_t threads;
  int32_t shared_bytes;  // dynamic
  int32_t blocks;        // that its tile counts on at the same time on a multiprocessor
  bool has_engine;       // it copies in bulk
};

template <typename Params>
Kernel make_kernel(const char* name, void (*function)(Params), int32_t threads,
                   int32_t shared_bytes, int32_t blocks = 1, bool has_engine = false) {
  return {name,
          reinterpret_cast<const void*>(function),
          [](const void* address, const void* params) {
            reinterpret_cast<void (*)(Params)>(const_cast<void*>(address))(
                *static_cast<const Params*>(params));
          },
          sizeof(Params),
          threads,
          shared_bytes,
          blocks,
          has_engine};
}

// Allows the kernel its shared memory on the current device. With FOVEA_REQUIRE_OCCUPANCY in the
// environment it fails if fewer blocks share a multiprocessor than the tile counts on and shared
// memory holds: that costs speed alone, so no result would show it.
int32_t prepare(const Kernel& kernel, char (&error)[FOVEA_ERROR_LENGTH]);

// Prepares what kernel_of(plan, phase) says of the phases that have items.
template <typename KernelOf>
int32_t prepare_phases(fovea_plan& plan, KernelOf kernel_of) {
  for (int32_t phase = 0; phase < plan.phases; ++phase) {
    if (plan.items[phase] == 0) continue;
    if (int32_t status = prepare(kernel_of(plan, phase), plan.error)) return status;
  }
  return FOVEA_OK;
}

// Machine code that was made while the process ran, loaded for good.
struct Image {
  void* library;
};
int32_t load_image(const void* code, Image& image, char (&error)[FOVEA_ERROR_LENGTH]);
// The kernel of that name, for Kernel::function.
int32_t find_kernel(const Image& image, const char* name, const void*& function,
                    char (&error)[FOVEA_ERROR_LENGTH]);
// Of the current device, 10 * major + minor; 0 if there is none.
int32_t capability();

// What the copy engine reads of a tensor, on any device.
int32_t encode(const TensorBoxes& boxes, TensorMap& map, char (&error)[FOVEA_ERROR_LENGTH]);

// Launches a block for each item of the call, of which there are some. `params` is read before it returns. One that
// `overlaps` may start before the kernel before it in the stream has ended, and must be made for that (tile/grid.cuh);
// compute capability 9.0.
int32_t launch(const Kernel& kernel, const void* params, const backend::Run& run, fovea_call& call,
               bool overlaps = false);

}  // namespace fovea::device
