#include "sim/shared_memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <new>

namespace fovea::sim {
namespace {

constexpr size_t kPage = 4096;

}  // namespace

std::string hex(uint32_t address) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", address);
  return text;
}

SharedMemory::~SharedMemory() { unmap(); }

void SharedMemory::unmap() {
  if (memory_ != nullptr) munmap(memory_ - kPage, mapped_ + 2 * kPage);
  memory_ = nullptr;
}

void SharedMemory::reserve(size_t bytes, uint32_t warps, bool has_engine) {
  has_engine_ = has_engine;
  warps += has_engine;
  const size_t granules = (bytes + kGranule - 1) / kGranule;
  if (bytes > mapped_ || memory_ == nullptr) {
    unmap();
    mapped_ = (bytes + kPage - 1) / kPage * kPage;
    void* const mapping = mmap(nullptr, mapped_ + 2 * kPage, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<unsigned char*>(mapping) + kPage;
    if (mprotect(memory_, mapped_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  if (granules > granules_) {
    stamps_ = std::make_unique<Stamp[]>(granules);
    granules_ = granules;
  }
  if (granules_ * warps > mark_count_) {
    marks_ = std::make_unique<Mark[]>(granules_ * warps);
    mark_count_ = granules_ * warps;
  }
  bytes_ = bytes;
  warps_ = warps;
}

void SharedMemory::start() {
  if (!clocks_.start(warps_)) {
    clocks_.restart(warps_);
    std::fill_n(stamps_.get(), granules_, Stamp{0});
    std::fill_n(marks_.get(), mark_count_, Mark{0});
  }
  if (reading_ != 0) std::fill_n(marks_.get(), mark_count_, Mark{0});  // of a block that was given up
  reading_ = 0;
  std::memset(memory_, 0xff, bytes_);
}

SharedMemory::Stamp SharedMemory::stamp(Accessor who, Where where) {
  const uint32_t now = clocks_.now(who.warp);
  if (now >= Clocks::kEpochs) fail("one block meets at more barriers than can be counted", where);
  return Stamp{now} << 32 | Stamp{sites_.number(where)} << 10 | who.thread();
}

uint32_t SharedMemory::locate(uint32_t address, uint32_t bytes, const char* primitive,
                              Where where) const {
  const bool inside = address >= kWindow && uint64_t{address} - kWindow + bytes <= bytes_;
  const bool legal = bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
  if (legal && inside && (address & (bytes - 1)) == 0) return address - kWindow;
  refuse_place(address, bytes, legal, inside, primitive, where);
}

void SharedMemory::refuse_place(uint32_t address, uint32_t bytes, bool legal, bool inside,
                                const char* primitive, Where where) const {
  const std::string what = std::string(primitive) + " of " + std::to_string(bytes) +
                           " bytes at shared address " + hex(address);
  if (!legal) fail(what + ": expected 2, 4, 8 or 16 bytes", where);
  if (!inside) {
    fail(what + ", out of bounds: the block has " + hex(kWindow) + " to " +
             hex(uint32_t(kWindow + bytes_)),
         where);
  }
  fail(what + ", which is misaligned", where);
}

bool SharedMemory::ordered(Stamp last, Accessor who) const {
  if ((last & kInFlight) != 0) return false;
  const uint32_t writer = thread(last);
  return epoch(last) <= clocks_.of(who.warp).seen[writer / kWarp] || writer == who.thread();
}

void SharedMemory::refuse(Stamp last, bool reads, uint32_t granule, const char* primitive,
                          Where where) const {
  const std::string address = hex(kWindow + granule * kGranule);
  if (epoch(last) < clocks_.begin()) {
    fail(std::string(primitive) + " reads shared address " + address + ", which was never written",
         where);
  }
  const std::string writer = "thread " + std::to_string(thread(last)) + " at " +
                             name(sites_.at(uint32_t(last >> 10) & ((1u << Sites::kBits) - 1)));
  const char* const verb = reads ? " reads" : " overwrites";
  if ((last & kInFlight) != 0) {
    fail(std::string(primitive) + verb + " shared address " + address +
             " while a copy to it is in flight, issued by " + writer,
         where);
  }
  fail(std::string(primitive) + verb + " shared address " + address +
           " without a barrier after its write by " + writer,
       where);
}

template <uint32_t kCount>
void SharedMemory::read_granules(uint32_t first, Accessor who, const char* primitive, Where where) {
  const Stamp* const stamps = stamps_.get() + first;
  // Mostly one store wrote it all.
  Stamp different = 0;
#pragma GCC unroll 8
  for (uint32_t i = 1; i < kCount; ++i) different |= stamps[i] ^ stamps[0];
  for (uint32_t i = 0; i < (different == 0 ? 1 : kCount); ++i) {
    if (epoch(stamps[i]) < clocks_.begin() || !ordered(stamps[i], who)) {
      refuse(stamps[i], true, first + i, primitive, where);
    }
  }
  const Mark mark = clocks_.now(who.warp) << kLaneBits | who.lane;
  Mark* const marks = marks_.get() + who.warp * granules_ + first;
  if (who.lane == kWarp) {
    std::fill_n(marks, kCount, mark);
    return;
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    // Two lanes that read in one epoch count as all: a write must wait for both.
    const bool other = (marks[i] ^ mark) >> kLaneBits == 0 && marks[i] != mark;
    marks[i] = other ? (mark & ~(2 * kWarp - 1)) | kWarp : mark;
  }
}

const unsigned char* SharedMemory::read(uint32_t address, uint32_t bytes, Accessor who,
                                        const char* primitive, Where where) {
  const uint32_t offset = locate(address, bytes, primitive, where);
  const uint32_t first = offset / kGranule;
  switch (bytes / kGranule) {
    case 1:
      read_granules<1>(first, who, primitive, where);
      break;
    case 2:
      read_granules<2>(first, who, primitive, where);
      break;
    case 4:
      read_granules<4>(first, who, primitive, where);
      break;
    case 8:
      read_granules<8>(first, who, primitive, where);
      break;
  }
  return memory_ + offset;
}

void SharedMemory::begin_read(uint32_t address, uint32_t bytes, uint32_t warp, const char* primitive, Where where) {
  const uint32_t first = locate(address, bytes, primitive, where) / kGranule;
  for (uint32_t i = first; i < first + bytes / kGranule; ++i) {
    const Stamp last = stamps_[i];
    if (epoch(last) < clocks_.begin() || !ordered(last, {warp, kWarp})) refuse(last, true, i, primitive, where);
    const uint32_t writer = thread(last) / kWarp;
    const bool by_engine = writer == clocks_.warps() - 1 && has_engine_;
    if (!by_engine && epoch(last) > clocks_.of(warp).async[writer]) {
      fail(std::string(primitive) + " reads shared address " + hex(kWindow + i * kGranule) +
               " without a fence_async behind its write by thread " + std::to_string(thread(last)),
           where);
    }
  }
  mark(address, bytes, warp, kReading);
  ++reading_;
}

void SharedMemory::end_read(uint32_t address, uint32_t bytes, uint32_t warp) {
  --reading_;
  mark(address, bytes, warp, clocks_.now(warp) << kLaneBits | kWarp);
}

void SharedMemory::go_on_reading(uint32_t address, uint32_t bytes, uint32_t warp) {
  mark(address, bytes, warp, kReading);
}

void SharedMemory::mark(uint32_t address, uint32_t bytes, uint32_t warp, Mark mark) {
  std::fill_n(marks_.get() + warp * granules_ + (address - kWindow) / kGranule, bytes / kGranule, mark);
}

void SharedMemory::check_marks(uint32_t first, uint32_t count, Accessor who, const char* primitive,
                               Where where) const {
  for (uint32_t w = 0; w < warps_; ++w) {
    const Mark* const marks = marks_.get() + w * granules_ + first;
    const Mark last_seen = clocks_.of(who.warp).seen[w] << kLaneBits | ((1u << kLaneBits) - 1);
    Mark latest = 0;
    for (uint32_t i = 0; i < count; ++i) latest = std::max(latest, marks[i]);
    if (latest <= last_seen) continue;
    for (uint32_t i = 0; i < count; ++i) {
      if (marks[i] <= last_seen) continue;
      if (marks[i] == kReading) {
        fail(std::string(primitive) + " overwrites shared address " + hex(kWindow + (first + i) * kGranule) +
                 " while warp " + std::to_string(w) + " still reads it",
             where);
      }
      const uint32_t lane = marks[i] % (1u << kLaneBits);
      if (w == who.warp && lane == who.lane) continue;
      const std::string reader = lane >= kWarp ? "warp " + std::to_string(w)
                                               : "thread " + std::to_string(w * kWarp + lane);
      fail(std::string(primitive) + " overwrites shared address " +
               hex(kWindow + (first + i) * kGranule) + " without a barrier after its read by " +
               reader,
           where);
    }
  }
}

void SharedMemory::check_write(uint32_t first, uint32_t count, Accessor who, const char* primitive,
                               Where where) const {
  const Stamp* const stamps = stamps_.get() + first;
  Stamp checked = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (stamps[i] == checked) continue;
    checked = stamps[i];
    if (epoch(checked) >= clocks_.begin() && !ordered(checked, who)) {
      refuse(checked, false, first + i, primitive, where);
    }
  }
  check_marks(first, count, who, primitive, where);
}

unsigned char* SharedMemory::write(uint32_t address, uint32_t bytes, Accessor who,
                                   const char* primitive, Where where) {
  const uint32_t offset = locate(address, bytes, primitive, where);
  const uint32_t first = offset / kGranule, count = bytes / kGranule;
  check_write(first, count, who, primitive, where);
  std::fill_n(stamps_.get() + first, count, stamp(who, where));
  return memory_ + offset;
}

unsigned char* SharedMemory::begin_copy(uint32_t address, uint32_t bytes, Accessor who,
                                        const char* primitive, Where where) {
  const uint32_t offset = locate(address, bytes, primitive, where);
  const uint32_t first = offset / kGranule, count = bytes / kGranule;
  check_write(first, count, who, primitive, where);
  std::fill_n(stamps_.get() + first, count, stamp(who, where) | kInFlight);
  return memory_ + offset;
}

void SharedMemory::end_copy(const unsigned char* to, uint32_t bytes, Accessor who, Where where) {
  std::fill_n(stamps_.get() + (to - memory_) / kGranule, bytes / kGranule, stamp(who, where));
}

}  // namespace fovea::sim
