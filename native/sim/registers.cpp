// setmaxnreg: the warps of a block give registers back to its pool, and take them out.

#include "sim/block.h"

namespace fovea::sim {
namespace {

constexpr uint32_t kFile = 65536;  // registers of a multiprocessor

}  // namespace

// As ptxas divides them for a block that is alone on its multiprocessor.
void Block::start_registers() {
  const uint32_t each = std::min(kFile / threads() / 8 * 8, 255u);
  free_registers_ = kFile / kWarp - each * (threads() / kWarp);
  for (uint32_t w = 0; w < threads() / kWarp; ++w) registers_[w] = {each, 0};
}

void Block::set_registers(uint32_t count, bool takes, Where where) {
  const Primitive primitive = takes ? Primitive::kTakeRegisters : Primitive::kGiveRegisters;
  const uint32_t self = thread_ / kWarp;
  Warp& warp = arrive(primitive, &count, where);
  if (warp.arrived != kAllLanes) return suspend();
  warp.arrived = 0;
  const Lanes<uint32_t> lanes(warp.payload);
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    if (lanes[lane] != count) fail("the lanes of the warp name different numbers of registers", where);
  }
  if (count % 8 != 0 || count < 24 || count > 256) {
    fail(std::string(name(primitive)) + " of " + std::to_string(count) + ": expected a multiple of 8, 24 to 256", where);
  }
  Registers& own = registers_[self];
  if (takes ? count < own.held : count > own.held) {
    fail(std::string(name(primitive)) + " of " + std::to_string(count) + ", where a thread has " +
             std::to_string(own.held),
         where);
  }
  if (!takes) {
    free_registers_ += own.held - count;
    own.held = count;
    make_ready(self);
  } else {
    own.wanted = count;
  }
  for (uint32_t w = 0; w < threads() / kWarp; ++w) {
    Registers& it = registers_[w];
    if (it.wanted == 0 || it.wanted - it.held > free_registers_) continue;
    free_registers_ -= it.wanted - it.held;
    it = {it.wanted, 0};
    make_ready(w);
  }
  if (own.wanted != 0) suspend();
}

void set_registers(uint32_t count, bool takes, Where where) {
  Block::running(where).set_registers(count, takes, where);
}

}  // namespace fovea::sim
