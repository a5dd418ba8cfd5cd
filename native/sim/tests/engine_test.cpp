// mbarriers and bulk copies: a ring as kernels have it, and every way to get it wrong.

#include <cstring>

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"
#include "tile/registers.cuh"
#include "tile/tma.cuh"
#include "tile/wgmma.cuh"

namespace fovea::test {
namespace {

using sim::Where;
using tile::Barrier;

constexpr uint32_t kRows = 8, kRowBytes = 128, kBox = kRows * kRowBytes;
constexpr int kTiles = 9, kStages = 2;

// kTiles boxes of 16-bit elements below each other, each its own index.
std::vector<uint16_t> numbers() {
  std::vector<uint16_t> all(kTiles * kBox / 2);
  for (size_t i = 0; i < all.size(); ++i) all[i] = uint16_t(i);
  return all;
}
const std::vector<uint16_t> kNumbers = numbers();

TensorBoxes map_of(const void* base, uint64_t rows, uint32_t swizzle) {
  return {base, 2, 2, {kRowBytes / 2, rows}, {2, kRowBytes}, {kRowBytes / 2, kRows}, swizzle};
}
const TensorBoxes kMap = map_of(kNumbers.data(), kTiles * kRows, 128);

sim::Launch launch_of(uint32_t warps, std::vector<sim::Extent> memory) {
  sim::Launch launch = {"engine", 2, 32 * warps, 4096 + 64, std::move(memory), {}};
  launch.has_engine = true;
  return launch;
}

uint32_t stage(int i) { return (shared_base() + 1023) / 1024 * 1024 + uint32_t(i) * kBox; }
Barrier full(int i) { return {stage(kStages) + uint32_t(i) * 16}; }
Barrier empty(int i) { return {full(i).address + 8}; }

void load(int tile, int to, Where where = Where::current()) {
  tile::tma_load(stage(to), sim::encode(kMap), full(to), {0, tile * int32_t(kRows)}, where);
}

void begin(uint32_t consumers) {
  if (thread_index() == 0) {
    for (int i = 0; i < kStages; ++i) {
      full(i).init(1);
      empty(i).init(consumers);
    }
    Barrier::publish();
  }
  sync_block();
}

// What the ring may get wrong.
struct Wrong {
  bool loads_over_reads = false, reads_early = false, releases_early = false;
  uint32_t bytes = kBox;
  int flips = 0;
};

// Warp 0 loads, warps 1 and 2 read what comes: thread t the four words of chunk t of rows 4 and on.
void ring(std::vector<uint32_t>& out, const Wrong& wrong) {
  constexpr uint32_t kConsumers = 64;
  begin(kConsumers);
  if (thread_index() < 32) {
    if (thread_index() != 0) return;
    for (int tile = 0; tile < kTiles; ++tile) {
      const int to = tile % kStages, round = tile / kStages;
      if (!wrong.loads_over_reads && round > 0) empty(to).wait(uint32_t(round - 1) & 1);
      full(to).arrive_expecting(wrong.bytes);
      load(tile, to);
    }
    return;
  }
  const uint32_t consumer = thread_index() - 32;
  for (int tile = 0; tile < kTiles; ++tile) {
    const int from = tile % kStages, round = tile / kStages;
    if (!wrong.reads_early) full(from).wait(uint32_t(round + wrong.flips) & 1);
    if (wrong.releases_early) empty(from).arrive();
    const uint32_t row = consumer / 8, chunk = consumer % 8;
    const uint32_t word = load_shared(stage(from) + row * kRowBytes + (chunk ^ row) * 16);
    if (block_index() == 0) store_global(&out[uint32_t(tile) * kConsumers + consumer], word);
    if (!wrong.releases_early) empty(from).arrive();
  }
}

sim::Launch ring_launch(std::vector<uint32_t>& out) {
  return launch_of(3, {input(kNumbers, "numbers"), output(out, "out")});
}

TEST(a_ring_of_stages) {
  std::vector<uint32_t> out(kTiles * 64);
  run(
      ring_launch(out), [&] { ring(out, {}); },
      [&] {
        for (uint32_t i = 0; i < out.size(); ++i) {
          const uint32_t first = i * 8;  // of the elements of a chunk
          CHECK_EQUAL(out[i], (first & 0xffff) | (first + 1) << 16);
        }
      });
}

template <typename Change>
void expect_ring_error(std::initializer_list<std::string> parts, Change change, Where where = Where::current()) {
  std::vector<uint32_t> out(kTiles * 64);
  Wrong wrong;
  change(wrong);
  expect_error(ring_launch(out), parts, [&] { ring(out, wrong); }, where);
}

TEST(a_stage_is_loaded_while_it_is_read) {
  expect_ring_error({"bulk_load overwrites shared address 0x|has had all 1 arrivals"},
                    [](Wrong& it) { it.loads_over_reads = true; });
}
TEST(a_stage_is_read_before_it_is_there) {
  expect_ring_error({"shared_read reads shared address 0x"}, [](Wrong& it) { it.reads_early = true; });
}
TEST(a_stage_is_released_before_it_is_read) {
  expect_ring_error({"bulk_load overwrites|while a copy to it is in flight|without a barrier"},
                    [](Wrong& it) { it.releases_early = true; });
}
TEST(a_phase_waits_for_too_many_bytes) {
  expect_ring_error({"deadlock", "0 of 1 arrivals and 16 bytes are missing"}, [](Wrong& it) { it.bytes = kBox + 16; });
}
TEST(a_phase_waits_for_too_few_bytes) {
  expect_ring_error({"reads shared address|bytes missing|bytes are missing|overwrites"},
                    [](Wrong& it) { it.bytes = kBox - 16; });
}
TEST(a_wrong_parity) {
  expect_ring_error({"reads shared address|deadlock"}, [](Wrong& it) { it.flips = 1; });
}

TEST(what_lies_outside_is_zero) {
  std::vector<uint16_t> out(kBox / 2);
  // 60 columns and 5 rows of a tensor whose rows are 128 bytes apart; the box begins at row -2, column 8.
  TensorBoxes map = map_of(kNumbers.data(), 5, 0);
  map.size[0] = 60;
  run(
      launch_of(1, {input(kNumbers, "numbers"), output(out, "out")}),
      [&] {
        begin(1);
        if (thread_index() == 0) {
          full(0).arrive_expecting(kBox);
          tile::tma_load(stage(0), sim::encode(map), full(0), {8, -2});
        }
        full(0).wait(0);
        for (uint32_t i = thread_index(); i < kBox / 4; i += 32) {
          const uint32_t word = load_shared(stage(0) + 4 * i);
          store_global(reinterpret_cast<uint32_t*>(out.data()) + i, word);
        }
      },
      [&] {
        for (uint32_t row = 0; row < kRows; ++row) {
          for (uint32_t column = 0; column < kRowBytes / 2; ++column) {
            const int y = int(row) - 2, x = int(column) + 8;
            const bool inside = y >= 0 && y < 5 && x < 60;
            CHECK_EQUAL(out[row * 64 + column], inside ? uint16_t(y * 64 + x) : uint16_t(0));
          }
        }
      });
}

TEST(misuse_of_mbarriers) {
  const sim::Launch one = launch_of(1, {input(kNumbers, "numbers")});
  expect_error(one, {"mbarrier_init of 0 arrivals"}, [] { full(0).init(0); });
  expect_error(one, {"which is one already"}, [] {
    if (thread_index() == 0) {
      full(0).init(1);
      full(0).init(1);
    }
  });
  expect_error(one, {"which is no mbarrier"}, [] {
    if (thread_index() == 0) {
      sim::shared_write(full(0).address, "1234567", 8, Where::current());
      full(0).arrive();
    }
  });
  expect_error(one, {"misaligned"}, [] {
    if (thread_index() == 0) Barrier{full(0).address + 4}.init(1);
  });
  expect_error(one, {"has had all 1 arrivals of phase 0"}, [] {
    if (thread_index() == 0) {
      full(0).init(1);
      full(0).arrive_expecting(16);
      full(0).arrive();
    }
  });
  expect_error(one, {"without a barrier after its write by thread 0|which was never written"}, [] {
    if (thread_index() == 0) full(0).init(32);
    full(0).arrive();
  });
  expect_error(one, {"deadlock", "for parity 0 of 0x", "31 of 32 arrivals"}, [] {
    if (thread_index() == 0) full(0).init(32);
    sync_block();
    if (thread_index() == 0) full(0).arrive();
    full(0).wait(0);
  });
  expect_error(one, {"parity 2: expected 0 or 1"}, [] {
    begin(1);
    full(0).wait(2);
  });
  expect_error(one, {"that the copy engine does not know of"}, [] {
    if (thread_index() == 0) {
      full(0).init(1);
      load(0, 0);
    }
  });
  expect_error(one, {"ends with -1024 bytes missing"}, [] {
    begin(1);
    if (thread_index() == 0) load(0, 0);
  });
}

TEST(misuse_of_bulk_copies) {
  const auto refused = [](const char* message, auto change, Where where = Where::current()) {
    expect_error(
        launch_of(1, {input(kNumbers, "numbers")}), {message},
        [&] {
          begin(1);
          if (thread_index() != 0) return;
          TensorBoxes map = kMap;
          int32_t start[] = {0, 0};
          uint32_t to = stage(0);
          change(map, start, to);
          full(0).arrive_expecting(kBox);
          sim::bulk_load(to, sim::encode(map), start, full(0).address, Where::current());
          full(0).wait(0);
        },
        where);
  };
  refused("no multiple of 1024", [](TensorBoxes&, int32_t*, uint32_t& to) { to += 128; });
  refused("no multiple of 128", [](TensorBoxes& map, int32_t*, uint32_t& to) { map.swizzle_bytes = 0, to += 64; });
  refused("of rank 0", [](TensorBoxes& map, int32_t*, uint32_t&) { map.rank = 0; });
  refused("whose tensor is misaligned", [](TensorBoxes& map, int32_t*, uint32_t&) {
    map.base = static_cast<const char*>(map.base) + 2;
  });
  refused("no multiple of 16", [](TensorBoxes& map, int32_t*, uint32_t&) { map.stride[1] = 120; });
  refused("is not 1 to 256", [](TensorBoxes& map, int32_t*, uint32_t&) { map.box[1] = 257; });
  refused("wider than its swizzle", [](TensorBoxes& map, int32_t*, uint32_t&) { map.box[0] = 72; });
  refused("out of bounds", [](TensorBoxes& map, int32_t* start, uint32_t&) {
    map.size[1] += 8;
    start[1] = kTiles * int32_t(kRows);
  });
  refused("out of bounds", [](TensorBoxes&, int32_t*, uint32_t& to) { to = stage(4); });
  sim::Launch without = launch_of(1, {input(kNumbers, "numbers")});
  without.has_engine = false;
  expect_error(without, {"in a launch that has none"}, [] {
    begin(1);
    if (thread_index() == 0) load(0, 0);
  });
}

// ---- stores

struct WrongStore {
  bool publishes = true, syncs = true, waits = true, overwrites = false;
};

// All threads write a box, one stores it to rows 3 and on of a tensor of 8, and adds it once more.
void stored(std::vector<float>& out, const WrongStore& wrong) {
  const TensorBoxes map = {out.data(), 2, 4, {30, 8}, {4, 128}, {32, 8}, 128};
  for (uint32_t i = thread_index(); i < kBox / 4; i += 64) {
    const float value = float(i);
    const uint32_t plain = stage(0) + 4 * i;
    sim::shared_write(plain ^ (plain >> 3 & 0x70), &value, 4, Where::current());
  }
  if (wrong.publishes) tile::fence_async();
  if (wrong.syncs) sync_block();
  if (thread_index() == 0) {
    tile::tma_store(sim::encode(map), {0, 3}, stage(0));
    tile::tma_commit();
    tile::tma_wait_read<0>();
    tile::tma_add(sim::encode(map), {0, 3}, stage(0));
    tile::tma_commit();
    if (wrong.overwrites) sim::shared_write(stage(0), "zero", 4, Where::current());
    if (wrong.waits) tile::tma_wait_read<0>();
  }
}

TEST(stores_and_sums_of_boxes) {
  std::vector<float> out(8 * 32);
  std::fill(out.begin(), out.end(), -1.0f);
  sim::Launch launch = launch_of(2, {output(out, "out")});
  launch.blocks = 1;
  run(
      launch, [&] { stored(out, {}); },
      [&] {
        for (uint32_t row = 0; row < 8; ++row) {
          for (uint32_t column = 0; column < 32; ++column) {
            const bool inside = row >= 3 && column < 30;
            CHECK_EQUAL(out[row * 32 + column], inside ? 2 * float((row - 3) * 32 + column) : -1.0f);
          }
        }
      });
}

TEST(misuse_of_stores) {
  std::vector<float> out(8 * 32);
  const auto expect = [&](std::initializer_list<std::string> parts, auto change, Where where = Where::current()) {
    WrongStore wrong;
    change(wrong);
    expect_error(launch_of(2, {output(out, "out")}), parts, [&] { stored(out, wrong); }, where);
  };
  expect({"bulk_store reads shared address 0x", "without a fence_async"}, [](WrongStore& it) { it.publishes = false; });
  expect({"bulk_store reads shared address 0x", "without a barrier|never written"},
         [](WrongStore& it) { it.syncs = false; });
  expect({"exits before it has waited for this store"}, [](WrongStore& it) { it.waits = false; });
  expect({"overwrites shared address 0x", "still reads it"}, [](WrongStore& it) { it.overwrites = true; });
}

// ---- without a tensor

// One thread copies a box's bytes, all add 1 to them, one adds them to what is in memory.
TEST(copies_and_sums_without_a_tensor) {
  std::vector<float> in(kBox / 4), out(kBox / 4, 0.5f);
  for (size_t i = 0; i < in.size(); ++i) in[i] = float(i);
  sim::Launch launch = launch_of(2, {input(in, "in"), output(out, "out")});
  launch.blocks = 1;
  run(
      launch,
      [&] {
        std::fill(out.begin(), out.end(), 0.5f);
        begin(1);
        if (thread_index() == 0) {
          full(0).arrive_expecting(kBox);
          tile::bulk_load(stage(0), in.data(), kBox, full(0));
        }
        full(0).wait(0);
        for (uint32_t i = thread_index(); i < kBox / 4; i += 64) {
          const uint32_t at = stage(0) + 4 * i;
          store_shared(at, tile::as_bits(tile::as_float(load_shared(at)) + 1));
        }
        tile::fence_async();
        sync_block();
        if (thread_index() != 0) return;
        tile::bulk_add(out.data(), stage(0), kBox);
        tile::tma_commit();
        tile::tma_wait_read<0>();
      },
      [&] {
        for (size_t i = 0; i < out.size(); ++i) CHECK_EQUAL(out[i], float(i) + 1.5f);
      });
}

TEST(misuse_of_copies_without_a_tensor) {
  const auto refused = [](std::initializer_list<std::string> parts, uint32_t from, uint32_t to, uint32_t bytes,
                          Where where = Where::current()) {
    expect_error(
        launch_of(1, {input(kNumbers, "numbers")}), parts,
        [=] {
          begin(1);
          if (thread_index() != 0) return;
          full(0).arrive_expecting(bytes);
          tile::bulk_load(stage(0) + to, kNumbers.data() + from, bytes, full(0));
          full(0).wait(0);
        },
        where);
  };
  refused({"bulk_load of addresses or bytes that are no multiples of 16"}, 4, 0, 64);
  refused({"no multiples of 16"}, 0, 8, 64);
  refused({"no multiples of 16"}, 0, 0, 24);
  refused({"out of bounds"}, uint32_t(kNumbers.size()) - 8, 0, 32);
}

// ---- registers

// 384 threads have 168 each; the first group gives most of them to the others.
template <int kGiven, int kTaken>
void exchange() {
  if (thread_index() < 128) {
    tile::give_registers<kGiven>();
  } else {
    tile::take_registers<kTaken>();
  }
  sync_block();
}

TEST(registers_go_to_other_groups) {
  const sim::Launch launch = {"registers", 1, 384, 64, {}, {}};
  run(launch, [] { exchange<24, 240>(); }, [] {});
  run(launch, [] { exchange<40, 232>(); }, [] {});
  expect_error(launch, {"deadlock", "with 168 of 240 registers"}, [] { exchange<40, 240>(); });
  expect_error(launch, {"give_registers of 176, where a thread has 168"}, [] { tile::give_registers<176>(); });
  expect_error(launch, {"take_registers of 160, where a thread has 168"}, [] { tile::take_registers<160>(); });
}

}  // namespace
}  // namespace fovea::test
