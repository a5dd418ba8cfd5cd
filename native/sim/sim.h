// The SIMT simulator as the tile vocabulary sees it: every primitive of cuda/tile/ that is not plain
// arithmetic is one of these calls when a kernel is compiled by a C++ compiler. Strict by design:
// what the hardware only allows to go wrong, goes wrong here, as an Error that names kernel, block,
// thread and source line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/tensor_map.h"

namespace fovea::sim {

using Where = std::source_location;

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// When an asynchronous copy lands: when it is issued, when a wait proves that it must have, or at a
// random moment between the two. Threads are scheduled accordingly: in order, in order, at random.
enum class Schedule { kEager, kLazy, kRandom };

// How mma adds: so many bytes of k at once (16 are 8 products of 16-bit factors or 4 of TF32), cut
// off below so many bits of the largest. With 0 bytes one product after the other, each sum rounded
// to nearest.
struct TensorCore {
  uint32_t step_bytes = 0;
  int32_t fraction_bits = 0;
};
constexpr TensorCore kAmpere = {16, 24};
constexpr TensorCore kHopper = {32, 25};  // also Blackwell

// What PTX leaves to the hardware. `seed` chooses the errors of the approximate functions, the same
// for the same argument; with 0 they are rounded to nearest.
struct Arithmetic {
  TensorCore tensor_core;
  uint64_t seed = 0;
};

class Traffic;  // sim/traffic.h

struct Options {
  Schedule schedule = Schedule::kRandom;
  uint64_t seed = 1;
  Arithmetic arithmetic = {};
  Traffic* traffic = nullptr;  // counts accesses of shared memory, if given
};

// Global memory that a kernel may touch.
struct Extent {
  const void* begin;
  size_t bytes;
  bool writable;
  const char* name;  // of the operand, for error messages
};

struct Launch {
  const char* kernel;   // its name, for error messages
  uint32_t blocks;      // in one dimension
  uint32_t threads;     // of a block, a multiple of 32
  size_t shared_bytes;  // dynamic shared memory of a block
  std::vector<Extent> memory;
  Options options;
  bool has_engine = false;  // blocks of up to 992 threads may copy in bulk
};

// Runs body() once per thread of every block. Throws the first Error; the other blocks are given up.
// Thread-safe: launches of several OS threads run side by side.
void launch(const Launch& launch, const std::function<void()>& body);

// From here on what device::launch launches counts there; null: nowhere.
void count_traffic_of_devices(Traffic* traffic);

// ---- inside a kernel ---------------------------------------------------------------------------

// Abandons the launch with this message.
[[noreturn]] void fail(const std::string& message, Where where);

uint32_t thread_index();
uint32_t block_index();

// Shared memory. Addresses are those of the 32-bit shared window; 0 is never valid. Reads and writes
// must be naturally aligned, inside the block's dynamic shared memory, of bytes that were written
// before, and ordered by a barrier against conflicting accesses of other warps.
uint32_t shared_base();
void shared_read(uint32_t address, void* to, uint32_t bytes, Where where);
void shared_write(uint32_t address, const void* from, uint32_t bytes, Where where);

// Global memory: inside an extent of the launch, naturally aligned.
void global_read(const void* from, void* to, uint32_t bytes, Where where);
void global_write(void* to, const void* from, uint32_t bytes, Where where);
void global_add(float* to, float value, Where where);

// Asynchronous copies from global to shared memory by the calling thread (cp.async): `bytes` is 4, 8
// or 16, and both addresses are multiples of it; of them the first `valid` are read, the others are
// zero. Commit closes a group, wait returns when at most `pending` groups are in flight.
void copy_async(uint32_t to, const void* from, uint32_t bytes, uint32_t valid, Where where);
void copy_async_commit(Where where);
void copy_async_wait(uint32_t pending, Where where);

// Warp-wide: all 32 threads of the warp must arrive at the same source line.
uint32_t shuffle(uint32_t value, uint32_t source_lane, Where where);
uint32_t shuffle_xor(uint32_t value, uint32_t lane_mask, Where where);
bool any(bool predicate, Where where);
uint32_t ballot(bool predicate, Where where);
void sync_warp(Where where);

// Block-wide: barrier 0 is that of __syncthreads. A thread that exits counts as arrived at none.
void sync_block(Where where);
void barrier_sync(uint32_t barrier, uint32_t threads, Where where);
void barrier_arrive(uint32_t barrier, uint32_t threads, Where where);

// An mbarrier, 8 bytes of shared memory. Init by one thread; publish makes it known to the copy engine; the others
// use it behind a barrier. Arrive counts one of the arrivals of the phase, which then waits for `bytes` more. Wait
// returns when the phase of this parity is over: 0 for the first.
void mbarrier_init(uint32_t address, uint32_t arrivals, Where where);
void mbarrier_publish(Where where);
void mbarrier_arrive(uint32_t address, uint32_t bytes, Where where);
void mbarrier_wait(uint32_t address, uint32_t parity, Where where);

// What the engine is given instead of a CUtensorMap; not checked yet.
TensorMap encode(const TensorBoxes& boxes);

// Copies the box at `start` (elements, rank of them, inside the tensor or not: what lies outside is zero) to
// shared memory, where it lies densely but for the swizzle; its bytes go to the mbarrier.
void bulk_load(uint32_t to, const TensorMap& map, const int32_t* start, uint32_t mbarrier, Where where);

// Without a tensor: `bytes`, a multiple of 16, between addresses that are multiples of it. To be committed and waited
// for as bulk_store is.
void bulk_load(uint32_t to, const void* from, uint32_t bytes, uint32_t mbarrier, Where where);
void bulk_add(float* to, uint32_t from, uint32_t bytes, Where where);

// The other way, by the calling thread; what lies outside of the tensor is left out. With `adds`, float32 elements are
// added to what is there. Wait returns when of at most `pending` groups shared memory is still to be read.
void bulk_store(const TensorMap& map, const int32_t* start, uint32_t from, bool adds, Where where);
void bulk_store_commit(Where where);
void bulk_store_wait(uint32_t pending, Where where);

// ldmatrix: 4 * count registers per thread from 4 * count matrices of 8 rows of 16 bytes; the row
// addresses of matrices 4 i to 4 i + 3 are the addresses[i] of the 32 threads in turn. Transposed: in
// units of 16 bits.
void load_matrices(uint32_t* registers, const uint32_t* addresses, uint32_t count, bool transposed,
                   Where where);

// stmatrix: the other way, of 16-bit elements.
void store_matrices(const uint32_t* registers, const uint32_t* addresses, uint32_t count, bool transposed,
                    Where where);

// mma.sync for m x n tiles: c[m][n][4] += a[m][4] * b[n][2]; `stride` is the distance, in tiles,
// from c[i][0] to c[i + 1][0]. kBfloat16 and kFloat16 are m16n8k16, kTf32 is m16n8k8 and ignores the
// low 13 bits of a and b, kFloat8 m16n8k32 of e4m3, of wgmma alone. Sums are float32, added as the launch's TensorCore
// does; those of kFloat8 have 13 bits of fraction.
enum class Product { kFloat16, kBfloat16, kTf32, kFloat8 };
void mma(Product product, float* c, uint32_t stride, const uint32_t* a, const uint32_t* b,
         uint32_t m, uint32_t n, Where where);

// wgmma: sums[64 x columns] += first * second, or = without `adds`, for a step of 32 bytes of k, by the four warps of
// a group; each gets sums as mma has its c, tile behind tile. The first operand is in registers, as mma has its a, or in
// shared memory. Asynchronous: sums belong to the threads again, and what was read may be written, behind the wait for
// the group that commit closes. A fence must stand behind the last access of these registers.
struct SharedMatrix {
  uint64_t descriptor;
  bool mn_major;
};
void wgmma(Product product, float* sums, uint32_t columns, const uint32_t* registers, SharedMatrix first,
           SharedMatrix second, bool adds, Where where);
void wgmma_fence(Where where);
void wgmma_commit(Where where);
void wgmma_wait(uint32_t pending, const float* sums, Where where);  // which must be done then

// setmaxnreg: the threads of the warp have so many registers from now on, fewer or more than before; taking waits until
// there are as many free. A block is alone on its multiprocessor.
void set_registers(uint32_t count, bool takes, Where where);

// What this thread wrote to shared memory is there for wgmma and bulk copies that are ordered behind.
void fence_async(Where where);

// ex2.approx.ftz, within 2 ulps, and lg2.approx.ftz, within 2^-22, of which relative outside of
// [0.5, 2]; exact where PTX gives a result.
float exp2_approx(float x);
float log2_approx(float x);
float reciprocal_approx(float x);

}  // namespace fovea::sim
