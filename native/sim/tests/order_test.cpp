// How threads meet: divergence, barriers, deadlocks; and launches: exits, errors, OS threads.

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"

namespace fovea::test {
namespace {

using sim::Where;

sim::Launch warps(uint32_t count) { return {"order", 1, 32 * count, 1024, {}, {}}; }

std::string here(int line) { return "order_test.cpp:" + std::to_string(line); }

// ---- warps

TEST(divergence) {
  constexpr int kOne = __LINE__ + 6;
  constexpr int kOther = __LINE__ + 6;
  expect_error(warps(2),
               {"the warp has diverged: lane ", "is at shuffle, but lane ", "waits at shuffle, ",
                here(kOne), here(kOther)},
               [] {
                 if (thread_index() % 32 < 7) shuffle_xor(0.0f, 1);
                 if (thread_index() % 32 >= 7) shuffle_xor(0.0f, 1);
               });
  expect_error(warps(1), {"diverged", "any", "sync_warp"}, [] {
    // clang-format off
    thread_index() == 3 ? void(sim::any(true, Where::current())) : sim::sync_warp(Where::current());
    // clang-format on
  });
  expect_error(warps(2), {"diverged", "barrier_sync", "barrier_arrive"}, [] {
    if (thread_index() == 40) sim::barrier_arrive(0, 64, Where::current());
    if (thread_index() != 40) sync_block();
  });
}

TEST(exited_lanes) {
  for (const uint32_t gone : {0u, 9u, 31u}) {
    constexpr int kBarrier = __LINE__ + 4;
    expect_error(warps(2), {"diverged", "lane " + std::to_string(gone), here(kBarrier), " exit"},
                 [&] {
                   if (thread_index() == gone) return;
                   sync_block();
                 });
  }
}

TEST(different_arguments) {
  expect_error(warps(1), {"another shape"}, [] {
    uint32_t registers[8], addresses[2] = {shared_base(), shared_base()};
    sim::load_matrices(registers, addresses, thread_index() == 4 ? 2 : 1, false, Where::current());
  });
  expect_error(warps(1), {"another shape or type"}, [] {
    uint32_t a[4] = {}, b[2] = {};
    float c[4] = {};
    sim::mma(thread_index() == 4 ? sim::Product::kFloat16 : sim::Product::kBfloat16, c, 1, a, b, 1,
             1, Where::current());
  });
  expect_error(warps(1), {"shuffle from lane 32"},
               [] { sim::shuffle(0, thread_index() + 1, Where::current()); });
}

// ---- barriers

TEST(deadlock) {
  constexpr int kBarrier = __LINE__ + 7;
  expect_error(
      warps(3),
      {"deadlock: threads 0 to 31 at barrier_sync, ",
       here(kBarrier) +
           ", barrier 0 with 64 of 96 threads; threads 32 to 63 exited; threads 64 to 95 at"},
      [] {
        if (thread_index() / 32 != 1) sync_block();
      });
  expect_error(warps(2), {"barrier 1 with 32 of 64", "barrier 2 with 32 of 64"},
               [] { sim::barrier_sync(thread_index() < 32 ? 1 : 2, 64, Where::current()); });
}

TEST(barrier_arguments) {
  const auto sync = [](uint32_t number, uint32_t count) {
    return [=] { sim::barrier_sync(number, count, Where::current()); };
  };
  expect_error(warps(2), {"barrier 16: expected 0 to 15"}, sync(16, 64));
  expect_error(warps(2), {"of 48 threads: expected a multiple of 32 up to the block's 64"},
               sync(1, 48));
  expect_error(warps(2), {"of 96 threads"}, sync(1, 96));
  expect_error(warps(2), {"of 0 threads"}, sync(1, 0));
  expect_error(warps(3), {"others say"},
               [] { sim::barrier_sync(1, thread_index() < 64 ? 96 : 64, Where::current()); });
  expect_error(warps(1), {"name different barriers"},
               [] { sim::barrier_sync(thread_index() == 5, 32, Where::current()); });
  expect_error(warps(2), {"arrives at barrier 3 again", "with 32 of 64 threads"}, [] {
    if (thread_index() >= 32) return;
    sim::barrier_arrive(3, 64, Where::current());
    sim::barrier_arrive(3, 64, Where::current());
  });
}

// One warp fills two buffers in turn, three others empty them, with a pair of barriers for each.
TEST(producer_and_consumers) {
  std::vector<uint32_t> to(96);
  sim::Launch launch = warps(4);
  launch.memory = {output(to, "to")};
  run(
      launch,
      [&] {
        const uint32_t t = thread_index(), lane = t % 32;
        uint32_t sum = 0;
        for (uint32_t step = 0; step < 10; ++step) {
          const uint32_t buffer = step % 2, full = 1 + buffer, empty = 3 + buffer;
          const uint32_t address = shared_base() + 4 * (32 * buffer + lane);
          if (t < 32) {
            if (step >= 2) sim::barrier_sync(empty, 128, Where::current());
            store_shared(address, step * lane);
            sim::barrier_arrive(full, 128, Where::current());
          } else {
            sim::barrier_sync(full, 128, Where::current());
            sum += load_shared(address);
            if (step < 8) sim::barrier_arrive(empty, 128, Where::current());
          }
        }
        if (t >= 32) store_global(&to[t - 32], sum);
      },
      [&] {
        for (uint32_t t = 0; t < 96; ++t) CHECK_EQUAL(to[t], 45 * (t % 32));
      });
}

TEST(producer_that_does_not_wait) {
  expect_error(warps(2), {"shared_write overwrites|shared_read reads", "without a barrier"}, [] {
    for (uint32_t step = 0; step < 2; ++step) {
      const uint32_t address = shared_base() + 4 * (thread_index() % 32);
      if (thread_index() < 32) store_shared(address, step);
      sync_block();
      if (thread_index() >= 32) load_shared(address);
    }
  });
}

// ---- launches

TEST(early_exits) {
  std::vector<uint32_t> to(5 * 64);
  sim::Launch launch = {"exits", 5, 64, 0, {output(to, "to")}, {}};
  run(
      launch,
      [&] {
        if (block_index() % 2 == 1) return;  // a whole block
        if (thread_index() >= 32) return;    // a whole warp
        const bool some = sim::any(thread_index() == 3, Where::current());
        store_global(&to[block_index() * 64 + thread_index()], some ? 1u : 2u);
      },
      [&] {
        for (uint32_t i = 0; i < to.size(); ++i) {
          CHECK_EQUAL(to[i], i / 64 % 2 == 0 && i % 64 < 32 ? 1u : 0u);
        }
        to.assign(to.size(), 0);
      });
}

struct Alive {
  static inline std::atomic<int> count{0};
  Alive() { ++count; }
  ~Alive() { --count; }
};

TEST(errors_unwind_every_thread) {
  expect_error(warps(4), {"thread 77", "enough"}, [] {
    const Alive alive;
    shuffle_xor(0.0f, 1);
    if (thread_index() == 77) sim::fail("enough", Where::current());
    sync_block();
  });
  expect_error(warps(2), {"deadlock"}, [] {
    const Alive alive;
    if (thread_index() < 32) sync_block();
  });
  CHECK_EQUAL(Alive::count.load(), 0);
  // What a kernel throws itself comes out as it is.
  bool caught = false;
  try {
    sim::launch(warps(2), [] {
      sync_block();
      throw std::out_of_range("own");
    });
  } catch (const std::out_of_range&) {
    caught = true;
  }
  CHECK(caught);
}

TEST(launch_arguments) {
  const auto refused = [](uint32_t blocks, uint32_t threads) {
    try {
      sim::launch({"refused", blocks, threads, 0, {}, {}}, [] {});
      return false;
    } catch (const sim::Error& error) {
      return contains(error.what(), "refused: a launch of ");
    }
  };
  CHECK(refused(0, 32));
  CHECK(refused(1, 0));
  CHECK(refused(1, 48));
  CHECK(refused(1, 1056));
  expect_error(warps(1), {"a launch inside a kernel"}, [] { sim::launch(warps(1), [] {}); });
  bool outside = false;
  try {
    sim::sync_warp(Where::current());
  } catch (const sim::Error& error) {
    outside = contains(error.what(), "outside of a kernel");
  }
  CHECK(outside);
}

// Sizes change from launch to launch, and errors come between.
TEST(launches_one_after_another) {
  for (uint32_t round = 0; round < 3; ++round) {
    for (const uint32_t threads : {1024u, 32u, 256u, 96u}) {
      for (const size_t bytes : {size_t{4096}, size_t{232448}}) {
        run(
            {"sizes", 2, threads, bytes, {}, {}},
            [&] {
              const uint32_t last = shared_base() + uint32_t(bytes) - 4 * (thread_index() + 1);
              store_shared(last, thread_index());
              sync_block();
              const uint32_t other = thread_index() ^ 31;
              if (load_shared(shared_base() + uint32_t(bytes) - 4 * (other + 1)) != other) {
                sim::fail("another value", Where::current());
              }
            },
            [] {});
        expect_error({"sizes", 2, threads, bytes, {}, {}}, {"enough"},
                     [] { sim::fail("enough", Where::current()); });
      }
    }
  }
}

TEST(a_seed_repeats_its_schedule) {
  const auto trace = [](uint64_t seed) {
    std::vector<uint32_t> order;
    sim::launch({"trace", 2, 128, 0, {}, {sim::Schedule::kRandom, seed}}, [&] {
      for (int i = 0; i < 4; ++i) {
        order.push_back(thread_index());
        sim::any(true, Where::current());
      }
    });
    return order;
  };
  CHECK(trace(1) == trace(1));
  CHECK(trace(1) != trace(2));
  std::set<uint32_t> first_warps, first_lanes;
  for (uint64_t seed = 1; seed <= 32; ++seed) {
    first_warps.insert(trace(seed)[0] / 32);
    first_lanes.insert(trace(seed)[0] % 32);
  }
  CHECK(first_warps.size() == 4 && first_lanes.size() > 8);
}

TEST(launches_side_by_side) {
  std::vector<std::string> messages(4);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < messages.size(); ++i) {
    threads.emplace_back([i, &message = messages[i]] {
      std::vector<float> from(64, float(i)), to(128);
      try {
        for (uint32_t round = 0; round < 50; ++round) {
          const sim::Options options = {sim::Schedule::kRandom, round};
          sim::launch({"beside", 2, 64, 256, {input(from, "from"), output(to, "to")}, options},
                      [&] {
                        quad_kernel<64>(from.data(), to.data());
                        if (i == 3 && round == 49) sim::fail("the last", Where::current());
                      });
        }
        if (to[0] != float(i) || to[127] != float(4 * i)) message = "another value";
      } catch (const sim::Error& error) {
        message = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint32_t i = 0; i < 3; ++i) CHECK_EQUAL(messages[i], std::string());
  CHECK(contains(messages[3], "the last"));
}

}  // namespace
}  // namespace fovea::test
