// The shared memory of a block, with a shadow that knows who wrote and who read each piece of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "sim/clocks.h"
#include "sim/sites.h"

namespace fovea::sim {

// A shared address, for errors.
std::string hex(uint32_t address);

// Where the 128-byte swizzle puts what would lie at an address: of rows of 128 bytes, eight at a time, chunk c of row r
// lies where chunk c ^ r would.
inline uint32_t swizzled(uint32_t address) { return address ^ (address >> 3 & 0x70); }

// Who touches memory: a thread, or all lanes of its warp together.
struct Accessor {
  uint32_t warp;
  uint32_t lane;  // kWarp: all of them
  uint32_t thread() const { return warp * kWarp + lane; }
};

class SharedMemory {
 public:
  // The shared window starts here: 0 is invalid, and an address tells its place in a swizzle.
  static constexpr uint32_t kWindow = 0x400;

  explicit SharedMemory(Clocks& clocks) : clocks_(clocks) {}
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Makes room for launches of this size; a copy engine counts as one more warp, behind the others.
  void reserve(size_t bytes, uint32_t warps, bool has_engine);
  // A new block; the clocks have started. All bytes are 0xff, a NaN, and count as never written.
  void start();

  // Each checks bounds, alignment (2 bytes or more) and order, notes the access and answers with the
  // memory. `primitive` names who asks, for errors.
  const unsigned char* read(uint32_t address, uint32_t bytes, Accessor who, const char* primitive,
                            Where where);
  unsigned char* write(uint32_t address, uint32_t bytes, Accessor who, const char* primitive,
                       Where where);
  // A copy that is written behind the computation: until end_copy(), any access is an error.
  unsigned char* begin_copy(uint32_t address, uint32_t bytes, Accessor who, const char* primitive,
                            Where where);
  // A warp's read of 16 bytes that goes on behind the computation, by the asynchronous proxy: until end_read() a write
  // is an error. Where the same bytes are read by several, go_on_reading() follows the end of one.
  void begin_read(uint32_t address, uint32_t bytes, uint32_t warp, const char* primitive, Where where);
  void end_read(uint32_t address, uint32_t bytes, uint32_t warp);
  void go_on_reading(uint32_t address, uint32_t bytes, uint32_t warp);
  // What is there, unchecked.
  const unsigned char* peek(uint32_t address) const { return memory_ + (address - kWindow); }

  // To the accessor it is as if it had written now; where: of the copy.
  void end_copy(const unsigned char* to, uint32_t bytes, Accessor who, Where where);

 private:
  // The shadow has one entry for this many bytes, the smallest access.
  static constexpr uint32_t kGranule = 2;

  // The last write of a granule: in flight (1 bit), epoch (31), site (22), thread (10).
  using Stamp = uint64_t;
  static constexpr uint64_t kInFlight = uint64_t{1} << 63;
  static uint32_t epoch(Stamp stamp) { return uint32_t(stamp >> 32) & 0x7fffffff; }
  static uint32_t thread(Stamp stamp) { return stamp % kMaxThreads; }
  Stamp stamp(Accessor who, Where where);

  // The last read of a granule by a warp: epoch (26 bits), lane or kWarp (6).
  using Mark = uint32_t;
  static constexpr uint32_t kLaneBits = 6;
  static constexpr Mark kReading = ~Mark{0};  // and still goes on
  void mark(uint32_t address, uint32_t bytes, uint32_t warp, Mark mark);

  uint32_t locate(uint32_t address, uint32_t bytes, const char* primitive, Where where) const;
  [[noreturn]] void refuse_place(uint32_t address, uint32_t bytes, bool legal, bool inside,
                                 const char* primitive, Where where) const;
  bool ordered(Stamp last, Accessor who) const;
  template <uint32_t kCount>
  void read_granules(uint32_t first, Accessor who, const char* primitive, Where where);
  void check_write(uint32_t first, uint32_t count, Accessor who, const char* primitive,
                   Where where) const;
  void check_marks(uint32_t first, uint32_t count, Accessor who, const char* primitive,
                   Where where) const;
  [[noreturn]] void refuse(Stamp last, bool reads, uint32_t granule, const char* primitive,
                           Where where) const;
  void unmap();

  Clocks& clocks_;
  Sites sites_;
  unsigned char* memory_ = nullptr;
  size_t mapped_ = 0;
  size_t bytes_ = 0;
  uint32_t warps_ = 0;
  bool has_engine_ = false;
  uint64_t reading_ = 0;  // reads that have begun and not ended
  size_t granules_ = 0;    // that the shadow has room for
  size_t mark_count_ = 0;  // likewise, of all warps
  std::unique_ptr<Stamp[]> stamps_;
  std::unique_ptr<Mark[]> marks_;  // [warp][granule]
};

}  // namespace fovea::sim
