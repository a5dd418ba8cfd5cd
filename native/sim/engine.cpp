// Bulk copies: what they may not do, when they land, and who then knows of it.

#include "sim/engine.h"

#include <cstring>

#include "sim/block.h"

namespace fovea::sim {
namespace {

constexpr uint32_t kPacket = 16;

// What cuTensorMapEncodeTiled and the instruction ask for (CUDA driver API, "Tensor Map Object Management"; PTX ISA,
// "cp.async.bulk.tensor").
void check(const TensorMap& map, Where where) {
  const auto refuse = [&](const std::string& what) { fail("bulk copy by a tensor map " + what, where); };
  if (map.rank < 1 || map.rank > 5) refuse("of rank " + std::to_string(map.rank) + ": expected 1 to 5");
  if (map.element_bytes != 1 && map.element_bytes != 2 && map.element_bytes != 4) {
    refuse("of elements of " + std::to_string(map.element_bytes) + " bytes: expected 1, 2 or 4");
  }
  if (reinterpret_cast<uintptr_t>(map.base) % kPacket != 0) refuse("whose tensor is misaligned");
  for (uint32_t d = 0; d < map.rank; ++d) {
    const std::string which = " of dimension " + std::to_string(d);
    if (map.size[d] == 0 || map.size[d] > uint64_t{1} << 32) refuse("whose size" + which + " is none");
    if (map.box[d] == 0 || map.box[d] > 256) refuse("whose box" + which + " is not 1 to 256");
    if (d > 0 && (map.stride[d] % kPacket != 0 || map.stride[d] >= uint64_t{1} << 40)) {
      refuse("whose stride" + which + " is no multiple of 16 below 2^40");
    }
  }
  const uint32_t row = map.box[0] * map.element_bytes;
  if (row % kPacket != 0) refuse("whose box has rows of " + std::to_string(row) + " bytes: expected a multiple of 16");
  if (map.swizzle_bytes != 0 && map.swizzle_bytes != 128) refuse("with a swizzle that is not 0 or 128 bytes");
  if (map.swizzle_bytes != 0 && row > map.swizzle_bytes) {
    refuse("whose box has rows of " + std::to_string(row) + " bytes, wider than its swizzle");
  }
}

// Of rows of 128 bytes, eight at a time: chunk c of row r lies where chunk c ^ r would, by their addresses.
uint32_t swizzled(uint32_t address, uint32_t swizzle_bytes) {
  return swizzle_bytes == 0 ? address : address ^ (address >> 3 & 0x70);
}

}  // namespace

void bulk_load(uint32_t to, const TensorMap& map, const int32_t* start, uint32_t mbarrier, Where where) {
  Block& block = Block::running(where);
  check(map, where);
  const uint32_t alignment = map.swizzle_bytes == 0 ? 128 : 1024;
  if (to % alignment != 0) {
    fail("bulk_load to a shared address that is no multiple of " + std::to_string(alignment), where);
  }
  const Phases& phases = block.mbarrier(mbarrier, "bulk_load", where);
  if (!phases.published) fail("bulk_load to an mbarrier that the copy engine does not know of", where);
  BulkLoad load;
  load.mbarrier = mbarrier;
  load.where = where;
  const uint32_t row_bytes = map.box[0] * map.element_bytes;
  uint64_t rows = 1;
  for (uint32_t d = 1; d < map.rank; ++d) rows *= map.box[d];
  const auto inside = [&](int64_t index, uint32_t d) { return index >= 0 && uint64_t(index) < map.size[d]; };
  for (uint64_t row = 0; row < rows; ++row) {
    const unsigned char* from = static_cast<const unsigned char*>(map.base);
    bool exists = true;
    uint64_t rest = row;
    for (uint32_t d = 1; d < map.rank; ++d) {
      const int64_t index = int64_t{start[d]} + int64_t(rest % map.box[d]);
      rest /= map.box[d];
      exists = exists && inside(index, d);
      if (exists) from += uint64_t(index) * map.stride[d];
    }
    for (uint32_t at = 0; at < row_bytes; at += kPacket) {
      const int64_t first = int64_t{start[0]} + at / map.element_bytes;
      const int64_t count = kPacket / map.element_bytes;
      if (exists && first < 0 && first + count > 0) {
        fail("bulk_load of a box that begins within 16 bytes before its tensor", where);
      }
      Packet packet = {nullptr, from, 0};
      if (exists && first >= 0) {
        const int64_t there = std::clamp<int64_t>(int64_t(map.size[0]) - first, 0, count);
        packet.valid = uint32_t(there) * map.element_bytes;
        packet.from = from + uint64_t(first) * map.element_bytes;
      }
      if (packet.valid > 0) block.global().check(packet.from, packet.valid, false, "bulk_load", where);
      const uint32_t place = swizzled(to + uint32_t(row) * row_bytes + at, map.swizzle_bytes);
      packet.to = block.shared().begin_copy(place, kPacket, block.accessor(), "bulk_load", where);
      load.packets.push_back(packet);
    }
  }
  block.issue(std::move(load));
}

void Block::issue(BulkLoad load) {
  if (!launch_->has_engine) fail("a bulk copy in a launch that has none", load.where);
  if (schedule() == Schedule::kEager) {
    land(std::move(load));
  } else {
    engine_.issue(std::move(load));
  }
}

// Whoever waits for the mbarrier's phase knows of it.
void Block::land(BulkLoad load) {
  const Accessor engine = {engine_party(), 0};
  for (const Packet& packet : load.packets) {
    std::memcpy(packet.to, packet.from, packet.valid);
    std::memset(packet.to + packet.valid, 0, kPacket - packet.valid);
    shared_.end_copy(packet.to, kPacket, engine, load.where);
  }
  Phases& phases = *mbarriers_.find(load.mbarrier);
  clocks_.release(engine_party(), phases.before);
  phases.bytes -= load.bytes();
  if (phases.is_complete()) end_phase(phases);
}

// The oldest, or any; false: there is none.
bool Block::land_one() {
  if (!engine_.in_flight()) return false;
  const size_t i = schedule() == Schedule::kRandom ? random_.below(uint32_t(engine_.count())) : 0;
  land(engine_.take(i));
  return true;
}

void Block::land_some() {
  while (engine_.in_flight() && random_.below(16) == 0) land_one();
}

}  // namespace fovea::sim
