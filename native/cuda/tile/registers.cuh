// Registers that a warpgroup of few gives to those of many (setmaxnreg). sm_90a, by all four warps.
#pragma once

#include "tile/target.h"

namespace fovea::tile {

// A thread has kCount from now on, no more than before: a multiple of 8 from 24 on.
template <int kCount>
FOVEA_DEVICE void give_registers(FOVEA_WHERE) {
  static_assert(kCount % 8 == 0 && kCount >= 24 && kCount <= 256);
#ifdef __CUDACC__
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
#else
  sim::set_registers(kCount, false, where);
#endif
}

// The same, no fewer than before: waits until others have given as many.
template <int kCount>
FOVEA_DEVICE void take_registers(FOVEA_WHERE) {
  static_assert(kCount % 8 == 0 && kCount >= 24 && kCount <= 256);
#ifdef __CUDACC__
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
#else
  sim::set_registers(kCount, true, where);
#endif
}

}  // namespace fovea::tile
