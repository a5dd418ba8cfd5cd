// The mbarriers of a block. A phase of one is over when all its threads have arrived and bulk copies have delivered
// all the bytes that it was told to expect; what they did before happens before whatever a thread does that has
// waited for the phase.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/clocks.h"
#include "sim/sim.h"

namespace fovea::sim {

struct Phases {
  uint32_t address;   // of the mbarrier
  uint32_t arrivals;  // of each phase
  uint32_t missing;   // arrivals of this phase
  int64_t bytes;      // that it expects and has not got yet; below 0: got before they were expected
  uint32_t number;    // of this phase, from 0 on
  uint32_t owner;     // the thread that initialized it
  bool published;     // to the copy engine
  Where where;        // of the initialization
  Clock before;       // of all phases so far, this one included
  Clock over;         // of those that are over
  std::vector<uint32_t> waiting;  // threads

  // Whether the phase of this parity is the last that is over.
  bool is_over(uint32_t parity) const { return (number & 1) != parity; }
  bool is_complete() const { return missing == 0 && bytes == 0; }
};

// A few, found by their addresses.
class Mbarriers {
 public:
  void start() { all_.clear(); }
  Phases* find(uint32_t address) {
    for (Phases& it : all_)
      if (it.address == address) return &it;
    return nullptr;
  }
  Phases& add(uint32_t address) {
    all_.push_back({});
    all_.back().address = address;
    return all_.back();
  }
  std::vector<Phases>& all() { return all_; }

 private:
  std::vector<Phases> all_;
};

}  // namespace fovea::sim
