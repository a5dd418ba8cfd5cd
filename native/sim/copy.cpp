#include "sim/copy.h"

#include <cstring>

#include "sim/block.h"

namespace fovea::sim {

void Copies::land(Copy& copy) {
  if (copy.landed) return;
  std::memcpy(copy.to, copy.from, copy.valid);
  std::memset(copy.to + copy.valid, 0, copy.bytes - copy.valid);
  copy.landed = true;
}

void Copies::land_some(Random& random) {
  if (copies_.empty()) return;
  const uint64_t chosen = random.next() & random.next();
  for (size_t i = 0; i < copies_.size(); ++i) {
    if ((chosen >> i % 64 & 1) != 0) land(copies_[i]);
  }
}

void Copies::wait(uint32_t pending, Accessor who, SharedMemory& shared) {
  size_t done = 0;
  for (; done < copies_.size() && copies_[done].group + pending < group_; ++done) {
    Copy& copy = copies_[done];
    land(copy);
    shared.end_copy(copy.to, copy.bytes, who, copy.where);
  }
  copies_.erase(copies_.begin(), copies_.begin() + ptrdiff_t(done));
}

void copy_async(uint32_t to, const void* from, uint32_t bytes, uint32_t valid, Where where) {
  Block& block = Block::running(where);
  if (bytes != 4 && bytes != 8 && bytes != 16) {
    fail("copy_async of " + std::to_string(bytes) + " bytes: expected 4, 8 or 16", where);
  }
  if (valid > bytes) {
    fail("copy_async of " + std::to_string(bytes) + " bytes with " + std::to_string(valid) +
             " of them valid",
         where);
  }
  if (reinterpret_cast<uintptr_t>(from) % bytes != 0) {
    fail("copy_async of " + std::to_string(bytes) + " bytes from a misaligned global address",
         where);
  }
  if (valid > 0) block.global().check(from, valid, false, "copy_async", where);
  unsigned char* const memory =
      block.shared().begin_copy(to, bytes, block.accessor(), "copy_async", where);
  block.copies().issue(memory, from, bytes, valid, where);
  if (block.schedule() == Schedule::kEager) block.copies().land_latest();
  if (block.traffic() != nullptr) {
    const Accessor who = block.accessor();
    block.traffic()->access(Request::kCopy, who.warp, who.lane, to, bytes, where);
  }
}

void copy_async_commit(Where where) { Block::running(where).copies().commit(); }

void copy_async_wait(uint32_t pending, Where where) {
  Block& block = Block::running(where);
  block.copies().wait(pending, block.accessor(), block.shared());
}

}  // namespace fovea::sim
