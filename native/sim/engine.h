// The copy engine: bulk copies of boxes of a tensor between global and shared memory, from issue to landing.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/random.h"
#include "sim/shared_memory.h"
#include "sim/sim.h"

namespace fovea::sim {

// What a copy moves at a time: 16 bytes, which no swizzle tears apart.
struct Packet {
  unsigned char* to;
  const unsigned char* from;  // of which the first `valid` bytes are read; the rest is zero
  uint32_t valid;
};

struct BulkLoad {
  std::vector<Packet> packets;
  uint32_t mbarrier;  // that gets the bytes
  Where where;

  uint32_t bytes() const { return uint32_t(packets.size()) * 16; }
};

struct BulkStore {
  struct Packet {
    uint32_t from;  // shared address of 16 bytes
    unsigned char* to;
    uint32_t valid;
  };
  std::vector<Packet> packets;
  bool adds;
  uint64_t group;
  bool landed;
  Where where;
};

// The bulk stores of one thread, from issue to the wait that proves that shared memory was read.
class BulkStores {
 public:
  void start() {
    stores_.clear();
    group_ = 0;
  }
  void issue(BulkStore store) {
    store.group = group_;
    stores_.push_back(std::move(store));
  }
  void commit() { ++group_; }
  void wait(uint32_t pending, uint32_t warp, SharedMemory& shared);
  // Lets some land, as hardware may at any time.
  void land_some(Random& random, const SharedMemory& shared);
  void land_latest(const SharedMemory& shared) { land(stores_.back(), shared); }

  bool in_flight() const { return !stores_.empty(); }
  Where oldest() const { return stores_.front().where; }

 private:
  static void land(BulkStore& store, const SharedMemory& shared);

  std::vector<BulkStore> stores_;  // by age
  uint64_t group_ = 0;             // that is open
};

class Engine {
 public:
  void start() { loads_.clear(); }
  void issue(BulkLoad load) { loads_.push_back(std::move(load)); }
  bool in_flight() const { return !loads_.empty(); }
  const BulkLoad& oldest() const { return loads_.front(); }
  size_t count() const { return loads_.size(); }

  // Takes one that is in flight, which lands now.
  BulkLoad take(size_t i) {
    BulkLoad load = std::move(loads_[i]);
    loads_.erase(loads_.begin() + ptrdiff_t(i));
    return load;
  }
  // The first that goes to this mbarrier, or count().
  size_t find(uint32_t mbarrier) const {
    size_t i = 0;
    while (i < loads_.size() && loads_[i].mbarrier != mbarrier) ++i;
    return i;
  }

 private:
  std::vector<BulkLoad> loads_;  // by age
};

}  // namespace fovea::sim
