// Single accesses to shared and global memory.

#include <cstring>

#include "sim/block.h"

namespace fovea::sim {
namespace {

void check_alignment(const void* address, uint32_t bytes, const char* primitive, Where where) {
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) {
    fail(std::string(primitive) + " of " + std::to_string(bytes) + " bytes at a misaligned address",
         where);
  }
}

void count(const Block& block, uint32_t address, uint32_t bytes, Where where) {
  if (block.traffic() == nullptr) return;
  const Accessor who = block.accessor();
  block.traffic()->access(Request::kPlain, who.warp, who.lane, address, bytes, where);
}

}  // namespace

size_t GlobalMemory::find(const void* address, size_t bytes, bool writes, const char* primitive,
                          Where where) const {
  for (size_t i = 0; i < extents_.size(); ++i) {
    if (allows(extents_[i], address, bytes, writes)) return i;
  }
  const Extent* holder = nullptr;
  const Extent* nearest = nullptr;
  uintptr_t distance = UINTPTR_MAX;
  bool behind = false;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address), end = begin + bytes;
  for (const Extent& extent : extents_) {
    if (contains(extent, address, bytes)) holder = &extent;
    const uintptr_t low = reinterpret_cast<uintptr_t>(extent.begin), high = low + extent.bytes;
    const uintptr_t before = low > begin ? low - begin : 0, after = end > high ? end - high : 0;
    if (before + after < distance) {
      distance = before + after;
      nearest = &extent;
      behind = after > before;
    }
  }
  const std::string what = std::string(primitive) + " of " + std::to_string(bytes) + " bytes ";
  if (holder != nullptr) fail(what + "to " + holder->name + ", which is only read", where);
  if (nearest == nullptr) fail(what + "of global memory, of which the launch has none", where);
  fail(what + "out of bounds: " + std::to_string(distance) +
           (behind ? " bytes behind the end of " : " bytes before the start of ") + nearest->name +
           ", the nearest operand",
       where);
}

uint32_t shared_base() { return SharedMemory::kWindow; }

void shared_read(uint32_t address, void* to, uint32_t bytes, Where where) {
  Block& block = Block::running(where);
  const unsigned char* const from =
      block.shared().read(address, bytes, block.accessor(), "shared_read", where);
  std::memcpy(to, from, bytes);
  count(block, address, bytes, where);
}

void shared_write(uint32_t address, const void* from, uint32_t bytes, Where where) {
  Block& block = Block::running(where);
  unsigned char* const to =
      block.shared().write(address, bytes, block.accessor(), "shared_write", where);
  std::memcpy(to, from, bytes);
  count(block, address, bytes, where);
}

void global_read(const void* from, void* to, uint32_t bytes, Where where) {
  check_alignment(from, bytes, "global_read", where);
  Block::running(where).global().check(from, bytes, false, "global_read", where);
  std::memcpy(to, from, bytes);
}

void global_write(void* to, const void* from, uint32_t bytes, Where where) {
  check_alignment(to, bytes, "global_write", where);
  Block::running(where).global().check(to, bytes, true, "global_write", where);
  std::memcpy(to, from, bytes);
}

// Blocks and threads take turns, so an addition is one step here as well.
void global_add(float* to, float value, Where where) {
  check_alignment(to, sizeof value, "global_add", where);
  Block::running(where).global().check(to, sizeof value, true, "global_add", where);
  *to += value;
}

}  // namespace fovea::sim
