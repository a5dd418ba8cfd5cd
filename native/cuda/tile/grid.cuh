// Kernels that follow each other in a stream: one that is launched to overlap the one before it (device::launch) may
// start before that has ended, and waits where it needs what it left. sm_90; elsewhere kernels follow one by one.
#pragma once

#include "tile/target.h"

namespace fovea::tile {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define FOVEA_OVERLAPS_KERNELS
#endif

// Until the kernel before has ended, and its writes are seen by all of this grid. Every block of a kernel that overlaps
// comes here: the one behind it waits for this grid alone.
FOVEA_DEVICE void wait_for_last_kernel() {
#ifdef FOVEA_OVERLAPS_KERNELS
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// From here on the next kernel may start, once all blocks of this one have come as far.
FOVEA_DEVICE void let_next_kernel_start() {
#ifdef FOVEA_OVERLAPS_KERNELS
  asm volatile("griddepcontrol.launch_dependents;");
#endif
}

}  // namespace fovea::tile
