// Source positions as small numbers, so that shadow memory can remember who wrote a byte.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/sim.h"

namespace fovea::sim {

class Sites {
 public:
  static constexpr uint32_t kBits = 22;

  uint32_t number(Where where) {
    const uint32_t slot = (where.line() * 5 + where.column()) % kSlots;
    if (cache_[slot] < sites_.size() && same(sites_[cache_[slot]], where)) return cache_[slot];
    return cache_[slot] = find(where);
  }
  Where at(uint32_t number) const { return sites_[number]; }

 private:
  static constexpr uint32_t kSlots = 256;

  static bool same(Where a, Where b) {
    return a.line() == b.line() && a.column() == b.column() && a.file_name() == b.file_name();
  }
  uint32_t find(Where where) {
    for (uint32_t i = 0; i < sites_.size(); ++i) {
      if (same(sites_[i], where)) return i;
    }
    sites_.push_back(where);
    return uint32_t(sites_.size() - 1);
  }

  uint32_t cache_[kSlots] = {};
  std::vector<Where> sites_;
};

// "attention.cuh:12"
std::string name(Where where);

}  // namespace fovea::sim
