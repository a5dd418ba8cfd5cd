// Warp and block primitives that move no memory.

#include "sim/block.h"

namespace fovea::sim {
namespace {

// Each lane gets the value of lane source(its own lane, its argument).
template <typename Source>
uint32_t exchange(uint32_t value, uint32_t argument, Where where, Source source) {
  struct Payload {
    uint32_t value, source, result;
  };
  Block& block = Block::running(where);
  Payload payload = {value, source(block.accessor().lane, argument), 0};
  if (payload.source >= kWarp) {
    fail("shuffle from lane " + std::to_string(payload.source) + ": expected 0 to 31", where);
  }
  block.meet(Primitive::kShuffle, payload, where, [](Lanes<Payload> lanes) {
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      lanes[lane].result = lanes[lanes[lane].source].value;
    }
  });
  return payload.result;
}

}  // namespace

uint32_t thread_index() { return Block::running(Where::current()).thread(); }

uint32_t block_index() { return Block::running(Where::current()).index(); }

uint32_t shuffle(uint32_t value, uint32_t source_lane, Where where) {
  return exchange(value, source_lane, where, [](uint32_t, uint32_t source) { return source; });
}

uint32_t shuffle_xor(uint32_t value, uint32_t lane_mask, Where where) {
  return exchange(value, lane_mask, where,
                  [](uint32_t lane, uint32_t mask) { return lane ^ mask; });
}

bool any(bool predicate, Where where) {
  bool payload = predicate;
  Block::running(where).meet(Primitive::kAny, payload, where, [](Lanes<bool> lanes) {
    bool some = false;
    for (uint32_t lane = 0; lane < kWarp; ++lane) some |= lanes[lane];
    for (uint32_t lane = 0; lane < kWarp; ++lane) lanes[lane] = some;
  });
  return payload;
}

uint32_t ballot(bool predicate, Where where) {
  uint32_t payload = predicate;
  Block::running(where).meet(Primitive::kBallot, payload, where, [](Lanes<uint32_t> lanes) {
    uint32_t all = 0;
    for (uint32_t lane = 0; lane < kWarp; ++lane) all |= lanes[lane] << lane;
    for (uint32_t lane = 0; lane < kWarp; ++lane) lanes[lane] = all;
  });
  return payload;
}

void sync_warp(Where where) {
  Block& block = Block::running(where);
  char nothing = 0;
  block.meet(Primitive::kSyncWarp, nothing, where,
             [&block](Lanes<char>) { block.clocks().meet(block.accessor().warp); });
}

void sync_block(Where where) {
  Block& block = Block::running(where);
  block.barrier(0, block.threads(), true, where);
}

void barrier_sync(uint32_t barrier, uint32_t threads, Where where) {
  Block::running(where).barrier(barrier, threads, true, where);
}

void barrier_arrive(uint32_t barrier, uint32_t threads, Where where) {
  Block::running(where).barrier(barrier, threads, false, where);
}

}  // namespace fovea::sim
