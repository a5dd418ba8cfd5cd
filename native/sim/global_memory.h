// What of the host's memory a kernel may touch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/sim.h"

namespace fovea::sim {

class GlobalMemory {
 public:
  void start(const std::vector<Extent>& extents) {
    extents_ = extents;
    latest_[0] = latest_[1] = 0;
  }

  // Fails unless [address, address + bytes) lies in one extent that allows it. `primitive` names who
  // asks.
  void check(const void* address, size_t bytes, bool writes, const char* primitive, Where where) {
    // Accesses come in runs: the extent of the last one mostly answers.
    const size_t latest = latest_[writes];
    if (latest >= extents_.size() || !allows(extents_[latest], address, bytes, writes)) {
      latest_[writes] = find(address, bytes, writes, primitive, where);
    }
  }

 private:
  static bool contains(const Extent& extent, const void* address, size_t bytes) {
    const size_t offset = reinterpret_cast<uintptr_t>(address) - uintptr_t(extent.begin);
    return bytes <= extent.bytes && offset <= extent.bytes - bytes;
  }
  static bool allows(const Extent& extent, const void* address, size_t bytes, bool writes) {
    return contains(extent, address, bytes) && (extent.writable || !writes);
  }
  size_t find(const void* address, size_t bytes, bool writes, const char* primitive,
              Where where) const;

  std::vector<Extent> extents_;
  size_t latest_[2] = {};
};

}  // namespace fovea::sim
