// What the hardware only allows to go wrong must go wrong here: every kind of misuse of memory,
// under every schedule, with the error that names it; and beside it the use that is right.

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"

namespace fovea::test {
namespace {

using sim::Where;

const std::vector<uint32_t> kWords(1024, 7);

sim::Launch warps(uint32_t count) {
  return {"misuse", 2, 32 * count, 4096, {input(kWords, "words")}, {}};
}

uint32_t word(uint32_t index) { return shared_base() + 4 * index; }
uint32_t chunk(uint32_t index) { return shared_base() + 16 * index; }

// Chunk `index` of shared memory gets chunk `index` of the words.
void issue(uint32_t index, Where where = Where::current()) {
  sim::copy_async(chunk(index), kWords.data() + 4 * index, 16, 16, where);
}

void finish_copies() {
  copy_async_commit();
  copy_async_wait<0>();
}

void load_chunks(uint32_t first, Where where = Where::current()) {
  const uint32_t address = chunk(first + thread_index() % 32);
  uint32_t registers[4];
  sim::load_matrices(registers, &address, 1, false, where);
}

std::string here(int line) { return "misuse_test.cpp:" + std::to_string(line); }

// ---- copies

TEST(copy_without_wait) {
  constexpr int kIssue = __LINE__ + 6;
  constexpr int kRead = __LINE__ + 8;
  expect_error(warps(2),
               {", thread ", here(kRead), "shared_read reads shared address 0x",
                "while a copy to it is in flight, issued by thread ", here(kIssue)},
               [] {
                 issue(thread_index());
                 copy_async_commit();
                 sync_block();
                 load_shared(word(thread_index()));
               });
}

TEST(copy_without_commit) {
  expect_error(warps(1), {"while a copy to it is in flight"}, [] {
    issue(thread_index());
    copy_async_wait<0>();
    load_shared(chunk(thread_index()));
  });
}

TEST(copy_with_too_many_pending) {
  const auto body = [](uint32_t group) {
    issue(thread_index());
    copy_async_commit();
    issue(64 + thread_index());
    copy_async_commit();
    copy_async_wait<1>();
    sync_block();
    load_chunks(64 * group);
    copy_async_wait<0>();
  };
  run(
      warps(2), [&] { body(0); }, [] {});
  expect_error(warps(2), {"load_matrices reads", "in flight"}, [&] { body(1); });
}

TEST(copy_read_without_barrier) {
  const auto body = [](uint32_t distance) {
    issue(thread_index());
    finish_copies();
    load_shared(chunk((thread_index() + distance) % 64));
  };
  // The thread that waited may read its own copies, others not, in its warp or another.
  run(
      warps(2), [&] { body(0); }, [] {});
  expect_error(warps(2), {"shared_read reads"}, [&] { body(1); });
  expect_error(warps(2), {"shared_read reads"}, [&] { body(32); });
}

TEST(copy_read_after_a_barrier_before_the_wait) {
  // Where warp 0 runs first, everything has landed when warp 1 reads: it is still an error.
  expect_error(warps(2),
               {"load_matrices reads", "without a barrier after its write|copy to it is in flight"},
               [] {
                 if (thread_index() < 32) {
                   issue(thread_index());
                   copy_async_commit();
                   sim::barrier_arrive(1, 64, Where::current());
                   copy_async_wait<0>();
                 } else {
                   sim::barrier_sync(1, 64, Where::current());
                   load_chunks(0);
                 }
               });
}

TEST(copy_over_what_others_may_read) {
  const auto body = [](bool barrier) {
    if (thread_index() < 32) issue(thread_index());
    finish_copies();
    sync_block();
    load_chunks(0);
    if (barrier) sync_block();
    if (thread_index() >= 32) issue(thread_index() - 32);
    finish_copies();
  };
  run(
      warps(2), [&] { body(true); }, [] {});
  expect_error(warps(2),
               {"copy_async overwrites|load_matrices reads", "without a barrier|in flight"},
               [&] { body(false); });
}

TEST(copy_over_what_the_warp_may_still_read) {
  const auto body = [](bool sync) {
    issue(thread_index());
    finish_copies();
    tile::sync_warp();
    load_chunks(0);
    if (sync) tile::sync_warp();
    issue(thread_index());
    finish_copies();
  };
  run(
      warps(1), [&] { body(true); }, [] {});
  expect_error(warps(1), {"copy_async overwrites", "without a barrier after its read by warp 0"},
               [&] { body(false); });
}

TEST(copy_overwritten_in_flight) {
  expect_error(warps(1), {"shared_write overwrites", "in flight"}, [] {
    issue(thread_index());
    store_shared(chunk(thread_index()), 1u);
    finish_copies();
  });
  expect_error(warps(1), {"copy_async overwrites", "in flight"}, [] {
    issue(thread_index());
    issue(thread_index());
    finish_copies();
  });
}

TEST(exit_with_copies_in_flight) {
  constexpr int kIssue = __LINE__ + 2;
  expect_error(warps(1), {here(kIssue), "exits before it has waited for this copy"}, [] {
    issue(thread_index());
    copy_async_commit();
  });
}

TEST(copy_arguments) {
  const char* const from = reinterpret_cast<const char*>(kWords.data());
  const auto copy = [](uint32_t to, const char* source, uint32_t bytes, uint32_t valid) {
    return
        [=] { sim::copy_async(to + 16 * thread_index(), source, bytes, valid, Where::current()); };
  };
  expect_error(warps(1), {"copy_async of 8 bytes from a misaligned global address"},
               copy(0x400, from + 4, 8, 8));
  expect_error(warps(1), {"copy_async of 16 bytes at shared address 0x", "misaligned"},
               copy(0x408, from, 16, 16));
  expect_error(warps(1), {"with 5 of them valid"}, copy(0x400, from, 4, 5));
  expect_error(warps(1), {"of 12 bytes: expected 4, 8 or 16"}, copy(0x400, from, 12, 12));
  expect_error(warps(1), {"copy_async of 1 bytes out of bounds: 1 bytes behind the end of words"},
               copy(0x400, from + 4096, 16, 1));
  expect_error(warps(1), {"copy_async of 16 bytes at shared address 0x", "out of bounds"},
               copy(0x400 + 4096, from, 16, 16));
  run(
      warps(1),
      [&] {
        copy(0x400, from + 4096, 16, 0)();
        finish_copies();
        if (load_shared(chunk(thread_index())) != 0) sim::fail("not zero", Where::current());
      },
      [] {});
}

// ---- shared memory

TEST(read_of_what_was_never_written) {
  expect_error(warps(2), {"shared_read reads shared address 0x", "which was never written"},
               [] { load_shared(word(thread_index())); });
  expect_error(warps(1), {"never written"}, [] {
    store_shared(word(thread_index()), uint16_t{1});  // half of it
    load_shared(word(thread_index()));
  });
  expect_error(warps(1), {"block 1, ", "never written"}, [] {
    if (block_index() == 0) store_shared(word(thread_index()), 1u);
    load_shared(word(thread_index()));
  });
}

TEST(shared_bounds) {
  const auto store = [](uint32_t address) { return [=] { store_shared(address, 1u); }; };
  expect_error(warps(1), {"shared_write of 4 bytes at shared address 0x0, out of bounds"},
               store(0));
  expect_error(warps(1), {"address 0x3fc, out of bounds"}, store(0x3fc));
  expect_error(warps(1), {"address 0x1400, out of bounds: the block has 0x400 to 0x1400"},
               store(0x1400));
  expect_error(warps(1), {"address 0xfffffffc, out of bounds"}, store(0xfffffffc));
  expect_error(warps(1), {"address 0x402, which is misaligned"}, store(0x402));
  expect_error(warps(1), {"shared_read of 1 bytes", "expected 2, 4, 8 or 16"}, [] {
    char byte;
    sim::shared_read(shared_base(), &byte, 1, Where::current());
  });
  expect_error(warps(1), {"load_matrices of 16 bytes at shared address", "misaligned"}, [] {
    const uint32_t addresses[1] = {chunk(thread_index()) + 8};
    uint32_t registers[4];
    load_matrices<1>(registers, addresses);
  });
}

// Thread 0 does one thing, thread 32 another; nothing orders them.
template <typename First, typename Second>
void expect_race(First first, Second second) {
  expect_error(warps(2), {"overwrites|reads", "without a barrier after its "}, [&] {
    if (thread_index() < 64) store_shared(word(64 + thread_index()), 0u);
    sync_block();
    if (thread_index() == 0) first(word(64));
    if (thread_index() == 32) second(word(64));
  });
}

TEST(races_between_warps) {
  const auto store = [](uint32_t address) { store_shared(address, 1u); };
  const auto store_half = [](uint32_t address) { store_shared(address + 2, uint16_t{1}); };
  const auto load = [](uint32_t address) { load_shared(address); };
  expect_race(store, store);
  expect_race(store, load);
  expect_race(load, store);
  expect_race(load, store_half);
  expect_race(store_half, load);
  // Two readers are none, nor are two halves of a word.
  run(
      warps(2),
      [] {
        if (thread_index() == 5) store_shared(word(0), 0u);
        sync_block();
        load_shared(word(0));
        sync_block();
        store_shared(shared_base() + 2 * thread_index(), uint16_t{3});
      },
      [] {});
}

TEST(races_between_lanes) {
  const auto body = [](auto between) {
    return [=] {
      store_shared(word(thread_index()), thread_index());
      between();
      if (load_shared(word(thread_index() ^ 1)) != (thread_index() ^ 1)) {
        sim::fail("another value", Where::current());
      }
    };
  };
  run(warps(1), body([] { tile::sync_warp(); }), [] {});
  run(warps(1), body([] { sync_block(); }), [] {});
  // Meeting at a shuffle orders no memory. Of lanes that have not met, one finds nothing yet.
  expect_error(warps(1), {"without a barrier after its write by thread"},
               body([] { shuffle_xor(0.0f, 1); }));
  expect_error(warps(1), {"without a barrier|never written"}, body([] {}));
  expect_error(warps(1), {"overwrites", "without a barrier after its read by thread"}, [] {
    store_shared(word(thread_index()), 0u);
    tile::sync_warp();
    load_shared(word(thread_index()));
    shuffle_xor(0.0f, 1);
    store_shared(word(thread_index() ^ 1), 0u);
  });
}

TEST(race_with_one_of_two_readers) {
  // The one that reads last may write after itself, but not after the other.
  const auto body = [](bool sync) {
    if (thread_index() == 0) store_shared(word(0), 0u);
    tile::sync_warp();
    if (thread_index() < 2) load_shared(word(0));
    shuffle_xor(0.0f, 1);
    if (sync) tile::sync_warp();
    if (thread_index() < 2) store_shared(word(0) + 2 * thread_index(), uint16_t{1});
  };
  run(
      warps(1), [&] { body(true); }, [] {});
  expect_error(warps(1), {"shared_write overwrites", "after its read by warp 0"},
               [&] { body(false); });
}

TEST(order_is_handed_on) {
  // Warp 0 to warp 1 to warp 2, though 0 and 2 never meet.
  run(
      warps(3),
      [] {
        const uint32_t warp = thread_index() / 32;
        if (warp == 0) store_shared(word(thread_index()), 9u);
        if (warp == 0) sim::barrier_arrive(1, 64, Where::current());
        if (warp == 1) sim::barrier_sync(1, 64, Where::current());
        if (warp == 1) sim::barrier_arrive(2, 64, Where::current());
        if (warp == 2) sim::barrier_sync(2, 64, Where::current());
        if (warp == 2 && load_shared(word(thread_index() - 64)) != 9) {
          sim::fail("another value", Where::current());
        }
      },
      [] {});
  // Who only arrives learns nothing.
  expect_error(warps(2), {"shared_read reads", "without a barrier|never written"}, [] {
    if (thread_index() < 32) {
      store_shared(word(thread_index()), 9u);
      sim::barrier_sync(1, 64, Where::current());
    } else {
      sim::barrier_arrive(1, 64, Where::current());
      load_shared(word(thread_index() - 32));
    }
  });
}

// ---- global memory

TEST(global_bounds) {
  std::vector<uint32_t> out(8);
  sim::Launch launch = warps(1);
  launch.memory.push_back(output(out, "out"));
  const auto store = [](uint32_t* to) { return [=] { store_global(to, 1u); }; };
  run(launch, store(out.data() + 7), [] {});
  expect_error(launch, {"global_write of 4 bytes out of bounds: 4 bytes behind the end of out"},
               store(out.data() + 8));
  expect_error(launch, {"global_write of 4 bytes out of bounds: 4 bytes before the start of out"},
               store(out.data() - 1));
  expect_error(launch, {"global_write of 4 bytes to words, which is only read"},
               store(const_cast<uint32_t*>(kWords.data())));
  expect_error(launch, {"global_read of 4 bytes out of bounds", "words"},
               [] { load_global(kWords.data() + 1024); });
  expect_error(launch, {"global_read of 4 bytes at a misaligned address"}, [] {
    uint32_t value;
    sim::global_read(reinterpret_cast<const char*>(kWords.data()) + 2, &value, 4, Where::current());
  });
  launch.memory.clear();
  expect_error(launch, {"of which the launch has none"}, [] { load_global(kWords.data()); });
}

}  // namespace
}  // namespace fovea::test
