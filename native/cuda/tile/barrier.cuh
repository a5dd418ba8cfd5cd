// An mbarrier: threads arrive, bulk copies deliver bytes, and a phase completes when both are all there. sm_90.
#pragma once

#include <cstdint>

#include "tile/shared.cuh"

namespace fovea::tile {

// Lives in shared memory.
struct Barrier {
  std::uint64_t state;

  // By one thread; the others may use the barrier after publish() and a __syncthreads().
  __device__ __forceinline__ void init(std::uint32_t arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)),
                 "r"(arrivals)
                 : "memory");
  }

  // Makes init() visible to the copy engine too; call once, after the last init().
  static __device__ __forceinline__ void publish() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }

  // Arrives, and lets the phase wait for `bytes` more from bulk copies.
  __device__ __forceinline__ void arrive_expecting(std::uint32_t bytes) {
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)),
        "r"(bytes)
        : "memory");
  }

  // Returns when the phase of this parity is over: 0 for the first, then alternating. In a debug build a
  // phase that never ends, because an arrival or a byte is missing, traps after some seconds.
  __device__ __forceinline__ void wait(std::uint32_t parity) {
#ifdef NDEBUG
    while (!over(parity)) {
    }
#else
    constexpr std::uint32_t kMostTries = 1u << 24;  // each of which may suspend the thread for a while
    for (std::uint32_t tries = 0; !over(parity); ++tries) {
      if (tries == kMostTries) __trap();
    }
#endif
  }

 private:
  __device__ __forceinline__ bool over(std::uint32_t parity) {
    std::uint32_t answer;
    asm volatile(
        "{\n"
        ".reg .pred over;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 over, [%1], %2;\n"
        "selp.b32 %0, 1, 0, over;\n"
        "}"
        : "=r"(answer)
        : "r"(shared_address(this)), "r"(parity)
        : "memory");
    return answer != 0;
  }
};

}  // namespace fovea::tile
