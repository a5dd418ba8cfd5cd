// Single elements of global and shared memory, and copies from one to the other that run behind the
// computation.
#pragma once

#include "tile/math.cuh"
#include "tile/shared.cuh"

namespace fovea::tile {

template <typename T>
FOVEA_DEVICE T load_global(const T* from FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return *from;
#else
  T value;
  sim::global_read(from, &value, sizeof(T), where);
  return value;
#endif
}

template <typename T>
FOVEA_DEVICE void store_global(T* to, T value FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  *to = value;
#else
  sim::global_write(to, &value, sizeof(T), where);
#endif
}

// Two words from or to an address that is a multiple of 8.
FOVEA_DEVICE void load_pair(const void* from, uint32_t& first, uint32_t& second FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  const uint2 value = *static_cast<const uint2*>(from);
  first = value.x, second = value.y;
#else
  uint32_t pair[2];
  sim::global_read(from, pair, sizeof pair, where);
  first = pair[0];
  second = pair[1];
#endif
}

FOVEA_DEVICE void store_pair(void* to, uint32_t first, uint32_t second FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  *static_cast<uint2*>(to) = uint2{first, second};
#else
  const uint32_t pair[2] = {first, second};
  sim::global_write(to, pair, sizeof pair, where);
#endif
}

// Four words from or to an address that is a multiple of 16.
FOVEA_DEVICE void load_quad(const void* from, uint32_t (&quad)[4] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  const uint4 value = *static_cast<const uint4*>(from);
  quad[0] = value.x, quad[1] = value.y, quad[2] = value.z, quad[3] = value.w;
#else
  sim::global_read(from, quad, sizeof quad, where);
#endif
}

FOVEA_DEVICE void store_quad(void* to, const uint32_t (&quad)[4] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  *static_cast<uint4*>(to) = uint4{quad[0], quad[1], quad[2], quad[3]};
#else
  sim::global_write(to, quad, sizeof quad, where);
#endif
}

// One 32-bit word of shared memory.
FOVEA_DEVICE uint32_t load_shared(uint32_t address FOVEA_AND_WHERE) {
  uint32_t value;
#ifdef __CUDACC__
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(address) : "memory");
#else
  sim::shared_read(address, &value, sizeof value, where);
#endif
  return value;
}

FOVEA_DEVICE void store_shared(uint32_t address, uint32_t value FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(value) : "memory");
#else
  sim::shared_write(address, &value, sizeof value, where);
#endif
}

FOVEA_DEVICE void store_shared(uint32_t address, uint16_t value FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("st.shared.b16 [%0], %1;" ::"r"(address), "h"(value) : "memory");
#else
  sim::shared_write(address, &value, sizeof value, where);
#endif
}

// Two words from or to an address that is a multiple of 8.
FOVEA_DEVICE void load_shared_pair(uint32_t address, uint32_t& first,
                                   uint32_t& second FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("ld.shared.v2.b32 {%0, %1}, [%2];"
               : "=r"(first), "=r"(second)
               : "r"(address)
               : "memory");
#else
  uint32_t pair[2];
  sim::shared_read(address, pair, sizeof pair, where);
  first = pair[0];
  second = pair[1];
#endif
}

FOVEA_DEVICE void store_shared_pair(uint32_t address, uint32_t first,
                                    uint32_t second FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(address), "r"(first), "r"(second)
               : "memory");
#else
  const uint32_t pair[2] = {first, second};
  sim::shared_write(address, pair, sizeof pair, where);
#endif
}

// Four words from or to an address that is a multiple of 16.
FOVEA_DEVICE void load_shared_quad(uint32_t address, uint32_t (&quad)[4] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(quad[0]), "=r"(quad[1]), "=r"(quad[2]), "=r"(quad[3])
               : "r"(address)
               : "memory");
#else
  sim::shared_read(address, quad, sizeof quad, where);
#endif
}

FOVEA_DEVICE void store_shared_quad(uint32_t address, const uint32_t (&quad)[4] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(quad[0]), "r"(quad[1]), "r"(quad[2]),
               "r"(quad[3])
               : "memory");
#else
  sim::shared_write(address, quad, sizeof quad, where);
#endif
}

// Adds to a float of global memory that others add to at the same time; in no fixed order.
FOVEA_DEVICE void add_global(float* to, float value FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("red.global.add.f32 [%0], %1;" ::"l"(to), "f"(value) : "memory");
#else
  sim::global_add(to, value, where);
#endif
}

// Whether add_global_quad is one instruction: red.v4, sm_90.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr bool kAddsQuads = false;
#else
constexpr bool kAddsQuads = true;
#endif

// The same for four floats at an address that is a multiple of 16, each added by itself. sm_90.
FOVEA_DEVICE void add_global_quad(float* to, const float (&values)[4] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(values[0]),
               "f"(values[1]), "f"(values[2]), "f"(values[3])
               : "memory");
#else
  for (int i = 0; i < 4; ++i) sim::global_add(to + i, values[i], where);
#endif
}

// cp.async, sm_80: copies kBytes (4, 8 or 16) without passing through registers; both addresses are
// multiples of kBytes. Only the first `valid` bytes are read, the others become zero. The data is
// there for the issuing thread after copy_async_wait, for others after a barrier behind it.
template <int kBytes>
FOVEA_DEVICE void copy_async(uint32_t to, const void* from, uint32_t valid FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  if constexpr (kBytes == 16) {  // past L1, which the kernels have no use for
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes),
                 "r"(valid)
                 : "memory");
  }
#else
  sim::copy_async(to, from, kBytes, valid, where);
#endif
}

// The same for 16 bytes, all valid: an instruction without a register for their number.
FOVEA_DEVICE void copy_async_16(uint32_t to, const void* from FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
#else
  sim::copy_async(to, from, 16, 16, where);
#endif
}

// Closes the group of copies that this thread issued since the last one; it may be empty.
FOVEA_DEVICE void copy_async_commit(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  sim::copy_async_commit(where);
#endif
}

// Returns when at most kPending of this thread's groups are in flight.
template <int kPending>
FOVEA_DEVICE void copy_async_wait(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#else
  sim::copy_async_wait(kPending, where);
#endif
}

}  // namespace fovea::tile
