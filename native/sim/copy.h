// The asynchronous copies of one thread, from issue to the wait that proves them done.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/random.h"
#include "sim/shared_memory.h"

namespace fovea::sim {

class Copies {
 public:
  // A new block. Room is kept.
  void start() {
    copies_.clear();
    group_ = 0;
  }

  // The destination is under SharedMemory::begin_copy already.
  void issue(unsigned char* to, const void* from, uint32_t bytes, uint32_t valid, Where where) {
    copies_.push_back({to, from, bytes, valid, group_, false, where});
  }
  void commit() { ++group_; }
  // All but the latest `pending` groups are done: their copies land, for `who` to read.
  void wait(uint32_t pending, Accessor who, SharedMemory& shared);

  void land_latest() { land(copies_.back()); }
  // Lets some of the copies in flight land, as hardware may at any time.
  void land_some(Random& random);

  bool in_flight() const { return !copies_.empty(); }
  Where oldest() const { return copies_.front().where; }

 private:
  struct Copy {
    unsigned char* to;
    const void* from;
    uint32_t bytes, valid;
    uint64_t group;
    bool landed;
    Where where;
  };
  static void land(Copy& copy);

  std::vector<Copy> copies_;  // by age
  uint64_t group_ = 0;        // that is open
};

}  // namespace fovea::sim
