// mbarriers: arrivals, phases, and the threads that wait for them.

#include "sim/phases.h"

#include "sim/block.h"

namespace fovea::sim {
// The thread must know of its initialization.
Phases& Block::mbarrier(uint32_t address, const char* primitive, Where where) {
  shared_.read(address, 8, accessor(), primitive, where);
  Phases* const found = mbarriers_.find(address);
  if (found == nullptr) fail(std::string(primitive) + " of " + hex(address) + ", which is no mbarrier", where);
  return *found;
}

void Block::init_mbarrier(uint32_t address, uint32_t arrivals, Where where) {
  constexpr uint32_t kMost = (1u << 20) - 1;
  if (arrivals == 0 || arrivals > kMost) {
    fail("mbarrier_init of " + std::to_string(arrivals) + " arrivals: expected 1 to " + std::to_string(kMost), where);
  }
  shared_.write(address, 8, accessor(), "mbarrier_init", where);
  if (mbarriers_.find(address) != nullptr) fail("mbarrier_init of " + hex(address) + ", which is one already", where);
  Phases& phases = mbarriers_.add(address);
  phases.arrivals = phases.missing = arrivals;
  phases.owner = thread_;
  phases.where = where;
}

void Block::publish_mbarriers(Where) {
  for (Phases& it : mbarriers_.all()) it.published |= it.owner == thread_;
}

void Block::arrive_at_mbarrier(uint32_t address, uint32_t bytes, Where where) {
  Phases& phases = mbarrier(address, "mbarrier_arrive", where);
  if (phases.missing == 0) {
    fail("the mbarrier at " + hex(address) + " has had all " + std::to_string(phases.arrivals) +
             " arrivals of phase " + std::to_string(phases.number),
         where);
  }
  phases.bytes += bytes;
  --phases.missing;
  clocks_.release(thread_ / kWarp, phases.before);
  if (phases.is_complete()) end_phase(phases);
}

void Block::end_phase(Phases& phases) {
  ++phases.number;
  phases.missing = phases.arrivals;
  phases.over = phases.before;
  std::vector<uint32_t> still;
  for (uint32_t thread : phases.waiting) {
    Wait& wait = waits_[thread];
    if (!phases.is_over(wait.parity)) {
      still.push_back(thread);
      continue;
    }
    wait.waits = false;
    warps_[thread / kWarp].ready |= 1u << thread % kWarp;
    ready_ |= 1u << thread / kWarp;
  }
  phases.waiting.swap(still);
}

void Block::wait_for_mbarrier(uint32_t address, uint32_t parity, Where where) {
  if (parity > 1) fail("mbarrier_wait of parity " + std::to_string(parity) + ": expected 0 or 1", where);
  if (!mbarrier(address, "mbarrier_wait", where).is_over(parity)) {
    const uint32_t bit = 1u << thread_ % kWarp;
    Warp& warp = warps_[thread_ / kWarp];
    waits_[thread_] = {true, address, parity, where};
    mbarriers_.find(address)->waiting.push_back(thread_);
    warp.ready &= ~bit;
    if (warp.ready == 0) ready_ &= ~(1u << thread_ / kWarp);
    suspend();
  }
  clocks_.acquire(thread_ / kWarp, mbarriers_.find(address)->over);
}

std::string Block::waiting(const Wait& wait) const {
  const Phases& phases = *const_cast<Mbarriers&>(mbarriers_).find(wait.mbarrier);
  return "at mbarrier_wait, " + name(wait.where) + ", for parity " + std::to_string(wait.parity) + " of " +
         hex(wait.mbarrier) + ", in phase " + std::to_string(phases.number) + ": " +
         std::to_string(phases.missing) + " of " + std::to_string(phases.arrivals) + " arrivals and " +
         std::to_string(phases.bytes) + " bytes are missing";
}

// At the end of a block nothing may be on its way.
void Block::check_phases() {
  while (land_one()) {
  }
  for (const Phases& it : mbarriers_.all()) {
    if (it.bytes != 0) {
      const Error error(place({}) + "the mbarrier at " + hex(it.address) + ", " + name(it.where) + ", ends with " +
                        std::to_string(it.bytes) + " bytes missing");
      throw error;
    }
  }
}

void mbarrier_init(uint32_t address, uint32_t arrivals, Where where) {
  Block::running(where).init_mbarrier(address, arrivals, where);
}
void mbarrier_publish(Where where) { Block::running(where).publish_mbarriers(where); }
void mbarrier_arrive(uint32_t address, uint32_t bytes, Where where) {
  Block::running(where).arrive_at_mbarrier(address, bytes, where);
}
void mbarrier_wait(uint32_t address, uint32_t parity, Where where) {
  Block::running(where).wait_for_mbarrier(address, parity, where);
}

}  // namespace fovea::sim
