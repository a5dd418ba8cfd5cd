// Counts how often shared memory is asked. A wavefront serves up to 128 bytes, one word of each of 32
// banks, to any number of lanes: an instruction takes as many as words of one bank are asked for.
// Lanes take turns where they ask for more than 4 bytes each: halves of a warp for 8, quarters for 16,
// which a row of ldmatrix counts as.
//
// Threads are fibers, so an instruction is put together from what the lanes do one after another: the
// n-th access of a line by each lane since the warp met last.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "sim/clocks.h"
#include "sim/sites.h"

namespace fovea::sim {

// What asks: cp.async, ldmatrix, or a load or store.
enum class Request : uint8_t { kCopy, kMatrices, kPlain };

struct Wavefronts {
  uint64_t taken = 0;
  uint64_t ideal = 0;  // if no two words were in one bank

  uint64_t conflicts() const { return taken - ideal; }
  Wavefronts& operator+=(const Wavefronts& other) {
    taken += other.taken;
    ideal += other.ideal;
    return *this;
  }
};

// Of one instruction: `bytes` at addresses[lane] for the lanes of `mask`.
Wavefronts count_wavefronts(const uint32_t (&addresses)[kWarp], uint32_t mask, uint32_t bytes);

// Of launches that run one after another.
class Traffic {
 public:
  void access(Request request, uint32_t warp, uint32_t lane, uint32_t address, uint32_t bytes,
              Where where);
  // By all lanes of a warp together.
  void access(Request request, const uint32_t (&addresses)[kWarp], uint32_t bytes, Where where);
  // All lanes of the warp meet: what each does from here on belongs to new instructions.
  void meet(uint32_t warp);
  // The block has ended.
  void end();

  struct Line {
    Request request;
    Where where;
    Wavefronts count;
  };
  // In the order in which they came first.
  std::vector<Line> lines() const;
  Wavefronts of(Request request) const;

 private:
  struct Instruction {
    uint32_t mask = 0;
    uint32_t addresses[kWarp];
  };
  struct Open {
    uint32_t bytes = 0;
    uint32_t times[kWarp] = {};  // that each lane came here
    std::vector<Instruction> instructions;
  };
  using Site = std::pair<uint32_t, Request>;

  Wavefronts& count_of(Request request, uint32_t site);

  Sites sites_;
  std::map<std::pair<uint32_t, Site>, Open> open_;  // [warp, site]
  std::vector<std::pair<Site, Wavefronts>> counts_;
};

}  // namespace fovea::sim
