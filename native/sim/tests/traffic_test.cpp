// Wavefronts of shared memory, counted from what kernels ask for.

#include "sim/traffic.h"

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"

namespace fovea::test {
namespace {

std::vector<uint32_t> words(4096);

// What one block of a kernel asks for, under every schedule.
template <typename Body>
void expect(sim::Request request, uint64_t taken, uint64_t ideal, uint32_t threads, Body body,
            sim::Where where = sim::Where::current()) {
  for (sim::Options options : schedules()) {
    sim::Traffic traffic;
    options.traffic = &traffic;
    sim::launch({"traffic", 1, threads, 16384, {input(words, "words")}, options}, body);
    const sim::Wavefronts count = traffic.of(request);
    ++checks;
    if (count.taken != taken || count.ideal != ideal) {
      stop(where, name(options) + ": " + std::to_string(count.taken) + " wavefronts, ideally " +
                      std::to_string(count.ideal));
    }
  }
}

uint32_t lane() { return thread_index() % 32; }

// Words `stride` apart.
template <typename Index>
void expect_stores(uint64_t taken, Index index, sim::Where where = sim::Where::current()) {
  expect(
      sim::Request::kPlain, taken, 1, 32,
      [=] { store_shared(shared_base() + 4 * index(lane()), 1u); }, where);
}

TEST(wavefronts_of_words) {
  expect_stores(1, [](uint32_t l) { return l; });
  expect_stores(1, [](uint32_t l) { return 31 - l; });
  expect_stores(1, [](uint32_t l) { return l * 3; });
  expect_stores(2, [](uint32_t l) { return l * 2; });
  expect_stores(4, [](uint32_t l) { return l * 4; });
  expect_stores(32, [](uint32_t l) { return l * 32; });
}

TEST(a_word_serves_all_lanes_that_read_it) {
  const auto read = [](uint32_t divisor, uint32_t stride) {
    return [=] {
      store_shared(shared_base() + 4 * (lane() * 32), 1u);
      sync_warp();
      for (int i = 0; i < 3; ++i) load_shared(shared_base() + 4 * (lane() / divisor * stride));
    };
  };
  expect(sim::Request::kPlain, 32 + 3, 1 + 3, 32, read(32, 32));
  expect(sim::Request::kPlain, 32 + 3 * 8, 1 + 3, 32, read(4, 32));
}

TEST(halves_share_a_word) {
  expect(sim::Request::kPlain, 1, 1, 32,
         [] { store_shared(shared_base() + 2 * lane(), uint16_t{1}); });
  expect(sim::Request::kPlain, 2, 1, 32, [] {
    store_shared(shared_base() + 128 * (lane() / 16) + 2 * (lane() % 16), uint16_t{1});
  });
}

TEST(pairs_are_served_by_half_warps) {
  expect(sim::Request::kPlain, 2, 2, 32,
         [] { store_shared_pair(shared_base() + 8 * lane(), 1, 2); });
  expect(sim::Request::kPlain, 4, 2, 32,
         [] { store_shared_pair(shared_base() + 16 * lane(), 1, 2); });
}

// 32 rows of 128 bytes; lane l copies chunk l % 8 of row l / 8, and so on.
template <typename Offset>
void copy_rows(Offset offset) {
  for (uint32_t row = lane() / 8; row < 32; row += 4) {
    copy_async<16>(shared_base() + offset(row, lane() % 8),
                   words.data() + row * 32 + lane() % 8 * 4, 16);
  }
  copy_async_commit();
  copy_async_wait<0>();
  sync_warp();
}

TEST(copies_are_served_by_quarter_warps) {
  const auto swizzled = [](uint32_t row, uint32_t chunk) { return Swizzle<8>::offset(row, chunk); };
  const auto padded = [](uint32_t row, uint32_t chunk) { return row * 144 + chunk * 16; };
  expect(sim::Request::kCopy, 32, 32, 32, [=] { copy_rows(swizzled); });
  expect(sim::Request::kCopy, 32, 32, 32, [=] { copy_rows(padded); });
  // Chunks of every other row at the same time: two of each bank.
  expect(sim::Request::kCopy, 8, 4, 32, [] {
    copy_async<16>(shared_base() + lane() / 4 * 128 + lane() % 4 * 16, words.data() + 4 * lane(),
                   16);
    copy_async_commit();
    copy_async_wait<0>();
  });
  // Narrow ones.
  expect(sim::Request::kCopy, 2, 2, 32, [] {
    copy_async<8>(shared_base() + 8 * lane(), words.data() + 2 * lane(), 8);
    copy_async_commit();
    copy_async_wait<0>();
  });
  expect(sim::Request::kCopy, 2, 1, 32, [] {
    copy_async<4>(shared_base() + 8 * lane(), words.data() + lane(), 4);
    copy_async_commit();
    copy_async_wait<0>();
  });
}

TEST(wavefronts_of_matrices) {
  const auto load = [](auto offset) {
    return [=] {
      copy_rows(offset);
      const uint32_t addresses[1] = {shared_base() + offset(lane(), 3)};
      uint32_t registers[4];
      load_matrices<1>(registers, addresses);
    };
  };
  expect(sim::Request::kMatrices, 4, 4, 32,
         load([](uint32_t row, uint32_t chunk) { return Swizzle<8>::offset(row, chunk); }));
  expect(sim::Request::kMatrices, 4, 4, 32,
         load([](uint32_t row, uint32_t chunk) { return row * 144 + chunk * 16; }));
  expect(sim::Request::kMatrices, 32, 4, 32,
         load([](uint32_t row, uint32_t chunk) { return row * 128 + chunk * 16; }));
}

TEST(instructions_are_told_apart) {
  // Two lines, a loop, lanes that leave it early, warps.
  expect(sim::Request::kPlain, 2 * (2 + 4), 2 * (2 + 4), 64, [] {
    const uint32_t address = shared_base() + 4 * thread_index();
    store_shared(address, 1u);
    store_shared(address, 1u);
    for (uint32_t i = 0; i <= lane() % 4; ++i) store_shared(address, 1u);
  });
  // What lanes do on either side of a meeting are two instructions, though one line.
  expect(sim::Request::kPlain, 2, 2, 32, [] {
    for (uint32_t half = 0; half < 2; ++half) {
      if (lane() / 16 == half) store_shared(shared_base() + 4 * lane(), 1u);
      sync_warp();
    }
  });
}

TEST(lines_of_traffic) {
  sim::Traffic traffic;
  const uint32_t first = sim::Where::current().line() + 4;
  sim::Options options;
  options.traffic = &traffic;
  sim::launch({"lines", 2, 32, 16384, {}, options}, [] {
    store_shared(shared_base() + 4 * lane(), 1u);
    store_shared(shared_base() + 128 * lane(), 1u);
  });
  const auto lines = traffic.lines();
  CHECK_EQUAL(lines.size(), size_t{2});
  for (const auto& line : lines) {
    const bool is_first = line.where.line() == first;
    CHECK(is_first || line.where.line() == first + 1);
    CHECK_EQUAL(line.count.taken, is_first ? uint64_t{2} : uint64_t{64});
    CHECK_EQUAL(line.count.conflicts(), is_first ? uint64_t{0} : uint64_t{62});
  }
}

}  // namespace
}  // namespace fovea::test
