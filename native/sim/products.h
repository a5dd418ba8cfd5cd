// The asynchronous products of one warp (wgmma), from issue to the wait that proves them done. Until then their sums
// are a NaN to the thread, and their operands in shared memory are being read.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "sim/clocks.h"
#include "sim/sim.h"

namespace fovea::sim {

class Block;

class Products {
 public:
  // What the lanes of a warp bring.
  struct Call {
    Product product;
    float* sums;
    uint32_t columns;
    const uint32_t* registers;  // null: the first operand is in shared memory
    SharedMatrix first, second;
    bool adds;
  };

  void start();
  void fence() { fenced_ = true; }
  void commit() { ++group_; }
  // By all lanes.
  void issue(Block& block, const Call (&calls)[kWarp], Where where);
  // All but the latest `pending` groups are done, and their sums the threads' again.
  void wait(Block& block, uint32_t pending);
  // Computes some of what is in flight, as hardware may at any time.
  void advance(Block& block, uint32_t count);

  // Whether sums of lane 0 are in flight.
  bool owns(const float* sums) const {
    for (const Sums& it : sums_)
      if (it.threads[0] == sums) return true;
    return false;
  }
  bool in_flight() const { return !flying_.empty(); }
  Where oldest() const { return flying_.front().where; }

 private:
  // The registers of a warp that are sums.
  struct Sums {
    float* threads[kWarp];
    std::vector<float> values;  // [lane][columns / 2]
    uint32_t columns;
    uint32_t flying;  // products
  };
  struct Flight {
    Call call;
    const uint32_t* registers[kWarp];
    uint32_t factors[kWarp][4];  // that were there at the issue, and must be until the wait
    std::list<Sums>::iterator sums;
    std::vector<uint32_t> reads;  // shared addresses of 16 bytes each
    uint64_t group;
    bool computed;
    Where where;
  };

  std::list<Sums>::iterator find(const Call (&calls)[kWarp], Where where);
  static void compute(Block& block, Flight& flight);

  std::vector<Flight> flying_;  // by age; the first of them are computed
  std::list<Sums> sums_;
  uint64_t group_ = 0;  // that is open
  bool fenced_ = false;
};

}  // namespace fovea::sim
