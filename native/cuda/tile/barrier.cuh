// An mbarrier: threads arrive, bulk copies deliver bytes, and a phase is over when both are all there. sm_90.
#pragma once

#include "tile/shared.cuh"

namespace fovea::tile {

// Eight bytes of shared memory, at a multiple of 8.
struct Barrier {
  uint32_t address;

  // By one thread; the others may use the barrier after publish() and a sync_block().
  FOVEA_DEVICE void init(uint32_t arrivals FOVEA_AND_WHERE) const {
#ifdef __CUDACC__
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address), "r"(arrivals) : "memory");
#else
    sim::mbarrier_init(address, arrivals, where);
#endif
  }

  // Makes init() visible to the copy engine too; call once, after the last init().
  static FOVEA_DEVICE void publish(FOVEA_WHERE) {
#ifdef __CUDACC__
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
    sim::mbarrier_publish(where);
#endif
  }

  FOVEA_DEVICE void arrive(FOVEA_WHERE) const {
#ifdef __CUDACC__
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address) : "memory");
#else
    sim::mbarrier_arrive(address, 0, where);
#endif
  }

  // Arrives, and lets the phase wait for `bytes` more from bulk copies.
  FOVEA_DEVICE void arrive_expecting(uint32_t bytes FOVEA_AND_WHERE) const {
#ifdef __CUDACC__
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address), "r"(bytes) : "memory");
#else
    sim::mbarrier_arrive(address, bytes, where);
#endif
  }

  // Returns when the phase of this parity is over: 0 for the first, then alternating. In a debug build a
  // phase that never ends, because an arrival or a byte is missing, traps after some seconds.
  FOVEA_DEVICE void wait(uint32_t parity FOVEA_AND_WHERE) const {
#ifndef __CUDACC__
    sim::mbarrier_wait(address, parity, where);
#elif defined(NDEBUG)
    while (!over(parity)) {
    }
#else
    constexpr uint32_t kMostTries = 1u << 24;  // each of which may suspend the thread for a while
    for (uint32_t tries = 0; !over(parity); ++tries) {
      if (tries == kMostTries) __trap();
    }
#endif
  }

#ifdef __CUDACC__
 private:
  FOVEA_DEVICE bool over(uint32_t parity) const {
    uint32_t answer;
    asm volatile(
        "{\n"
        ".reg .pred over;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
        "selp.b32 %0, 1, 0, over;\n"
        "}"
        : "=r"(answer)
        : "r"(address), "r"(parity)
        : "memory");
    return answer != 0;
  }
#endif
};

}  // namespace fovea::tile
