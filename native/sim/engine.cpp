// Bulk copies: what they may not do, when they land, and who then knows of it.

#include "sim/engine.h"

#include <algorithm>
#include <cstring>

#include "sim/block.h"

namespace fovea::sim {
namespace {

constexpr uint32_t kPacket = 16;

// What an instruction finds where its map lies.
TensorBoxes read(const TensorMap& map, Where where) {
  TensorBoxes boxes;
  std::memcpy(&boxes, map.bytes, sizeof boxes);
  char why[120];
  if (!check_boxes(boxes, why, sizeof why)) fail(std::string("bulk copy by a tensor map ") + why, where);
  return boxes;
}

// Of a byte of a box that begins at `base`.
uint32_t place_of(const TensorBoxes& map, uint32_t base, uint32_t offset) {
  return map.swizzle_bytes == 0 ? base + offset : swizzled(base + offset);
}

// Calls packet(offset in the box, global address, bytes that exist) for each 16 bytes of a box.
template <typename Packet>
void walk(const TensorBoxes& map, const int32_t* start, const char* primitive, Where where, Packet packet) {
  const uint32_t row_bytes = map.box[0] * map.element_bytes;
  const int64_t count = kPacket / map.element_bytes;
  uint64_t rows = 1;
  for (uint32_t d = 1; d < map.rank; ++d) rows *= map.box[d];
  for (uint64_t row = 0; row < rows; ++row) {
    const unsigned char* at = static_cast<const unsigned char*>(map.base);
    bool exists = true;
    uint64_t rest = row;
    for (uint32_t d = 1; d < map.rank; ++d) {
      const int64_t index = int64_t{start[d]} + int64_t(rest % map.box[d]);
      rest /= map.box[d];
      exists = exists && index >= 0 && uint64_t(index) < map.size[d];
      if (exists) at += uint64_t(index) * map.stride[d];
    }
    for (uint32_t column = 0; column < row_bytes; column += kPacket) {
      const int64_t first = int64_t{start[0]} + column / map.element_bytes;
      if (exists && first < 0 && first + count > 0) {
        fail(std::string(primitive) + " of a box that begins within 16 bytes before its tensor", where);
      }
      const int64_t there = exists && first >= 0 ? std::clamp<int64_t>(int64_t(map.size[0]) - first, 0, count) : 0;
      packet(uint32_t(row) * row_bytes + column, there > 0 ? at + uint64_t(first) * map.element_bytes : at,
             uint32_t(there) * map.element_bytes);
    }
  }
}

void check_shared(uint32_t address, const TensorBoxes& map, const char* primitive, Where where) {
  const uint32_t alignment = map.swizzle_bytes == 0 ? 128 : 1024;
  if (address % alignment != 0) {
    fail(std::string(primitive) + " at a shared address that is no multiple of " + std::to_string(alignment), where);
  }
}

}  // namespace

TensorMap encode(const TensorBoxes& boxes) {
  TensorMap map = {};
  std::memcpy(map.bytes, &boxes, sizeof boxes);
  return map;
}

namespace {

// Of copies without a tensor.
void check_range(const void* global, uint32_t shared, uint32_t bytes, const char* primitive, Where where) {
  if (reinterpret_cast<uintptr_t>(global) % kPacket == 0 && shared % kPacket == 0 && bytes % kPacket == 0 && bytes > 0) {
    return;
  }
  fail(std::string(primitive) + " of addresses or bytes that are no multiples of 16", where);
}

// A copy to shared memory of packets that each_packet(take) hands to take(shared address, from, bytes that exist).
template <typename EachPacket>
void load(uint32_t mbarrier, Where where, EachPacket each_packet) {
  Block& block = Block::running(where);
  if (!block.mbarrier(mbarrier, "bulk_load", where).published) {
    fail("bulk_load to an mbarrier that the copy engine does not know of", where);
  }
  BulkLoad load;
  load.mbarrier = mbarrier;
  load.where = where;
  each_packet([&](uint32_t place, const unsigned char* from, uint32_t valid) {
    if (valid > 0) block.global().check(from, valid, false, "bulk_load", where);
    unsigned char* const memory = block.shared().begin_copy(place, kPacket, block.accessor(), "bulk_load", where);
    load.packets.push_back({memory, from, valid});
  });
  block.issue(std::move(load));
}

// The other way.
template <typename EachPacket>
void store(bool adds, Where where, EachPacket each_packet) {
  Block& block = Block::running(where);
  BulkStore store = {{}, adds, 0, false, where};
  each_packet([&](uint32_t place, const unsigned char* to, uint32_t valid) {
    if (valid > 0) block.global().check(to, valid, true, "bulk_store", where);
    block.shared().begin_read(place, kPacket, block.accessor().warp, "bulk_store", where);
    store.packets.push_back({place, const_cast<unsigned char*>(to), valid});
  });
  block.stores().issue(std::move(store));
  if (block.schedule() == Schedule::kEager) block.stores().land_latest(block.shared());
}

}  // namespace

void bulk_load(uint32_t to, const TensorMap& encoded, const int32_t* start, uint32_t mbarrier, Where where) {
  const TensorBoxes map = read(encoded, where);
  check_shared(to, map, "bulk_load", where);
  load(mbarrier, where, [&](auto take) {
    walk(map, start, "bulk_load", where, [&](uint32_t offset, const unsigned char* from, uint32_t valid) {
      take(place_of(map, to, offset), from, valid);
    });
  });
}

void bulk_load(uint32_t to, const void* from, uint32_t bytes, uint32_t mbarrier, Where where) {
  check_range(from, to, bytes, "bulk_load", where);
  load(mbarrier, where, [&](auto take) {
    for (uint32_t i = 0; i < bytes; i += kPacket) take(to + i, static_cast<const unsigned char*>(from) + i, kPacket);
  });
}

void bulk_store(const TensorMap& encoded, const int32_t* start, uint32_t from, bool adds, Where where) {
  const TensorBoxes map = read(encoded, where);
  check_shared(from, map, "bulk_store", where);
  if (adds && map.element_bytes != 4) fail("bulk_store that adds elements that are not float32", where);
  store(adds, where, [&](auto take) {
    walk(map, start, "bulk_store", where, [&](uint32_t offset, const unsigned char* to, uint32_t valid) {
      take(place_of(map, from, offset), to, valid);
    });
  });
}

void bulk_add(float* to, uint32_t from, uint32_t bytes, Where where) {
  check_range(to, from, bytes, "bulk_add", where);
  store(true, where, [&](auto take) {
    for (uint32_t i = 0; i < bytes; i += kPacket) {
      take(from + i, reinterpret_cast<const unsigned char*>(to) + i, kPacket);
    }
  });
}

void bulk_store_commit(Where where) { Block::running(where).stores().commit(); }

void bulk_store_wait(uint32_t pending, Where where) {
  Block& block = Block::running(where);
  block.stores().wait(pending, block.accessor().warp, block.shared());
}

void BulkStores::land(BulkStore& store, const SharedMemory& shared) {
  if (store.landed) return;
  store.landed = true;
  for (const BulkStore::Packet& it : store.packets) {
    const unsigned char* const from = shared.peek(it.from);
    if (!store.adds) {
      std::memcpy(it.to, from, it.valid);
      continue;
    }
    for (uint32_t i = 0; i < it.valid; i += 4) {
      float sum, value;
      std::memcpy(&sum, it.to + i, 4);
      std::memcpy(&value, from + i, 4);
      sum += value;
      std::memcpy(it.to + i, &sum, 4);
    }
  }
}

void BulkStores::wait(uint32_t pending, uint32_t warp, SharedMemory& shared) {
  size_t done = 0;
  for (; done < stores_.size() && stores_[done].group + pending < group_; ++done) {
    land(stores_[done], shared);
    for (const BulkStore::Packet& it : stores_[done].packets) shared.end_read(it.from, kPacket, warp);
  }
  stores_.erase(stores_.begin(), stores_.begin() + ptrdiff_t(done));
  for (const BulkStore& store : stores_)
    for (const BulkStore::Packet& it : store.packets) shared.go_on_reading(it.from, kPacket, warp);
}

void BulkStores::land_some(Random& random, const SharedMemory& shared) {
  for (BulkStore& store : stores_)
    if (random.below(2) == 0) land(store, shared);
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
