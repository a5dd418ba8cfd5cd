// fovea_sim_test --cost: what the simulator takes for each primitive, the best of a few runs.

#include <time.h>

#include <algorithm>
#include <functional>

#include "sim/tests/check.h"
#include "sim/tests/kernels.cuh"

namespace fovea::test {
namespace {

constexpr uint32_t kThreads = 128;
constexpr uint32_t kBytes = 96 << 10;
constexpr int kRepeat = 1000;

std::vector<uint32_t> words(8192);
sim::Options options;

double now() {  // in nanoseconds of processor time: other programs do not count
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

// Nanoseconds of one block of 128 threads.
double measure(const std::function<void()>& body) {
  double best = 1e30;
  for (int i = 0; i < 15; ++i) {
    const double begin = now();
    sim::launch({"cost", 1, kThreads, kBytes, {output(words, "words")}, options}, body);
    best = std::min(best, now() - begin);
  }
  return best;
}

uint32_t word() { return shared_base() + 4 * thread_index(); }

// 64 rows of 256 bytes, by the block.
void copy_tile() {
  for (uint32_t i = thread_index(); i < 1024; i += kThreads) {
    copy_async<16>(shared_base() + 16 * i, words.data() + 4 * i, 16);
  }
  copy_async_commit();
  copy_async_wait<0>();
  sync_block();
}

// The collectives and products of 128 queries against 64 keys, head dim 128: a warp has 32 rows.
template <typename Factor>
void tile_products() {
  float scores[2][8][4] = {}, out[2][16][4] = {};
  uint32_t a[8] = {}, b[16], addresses[4];
  const auto address = [&](uint32_t step) {
    for (uint32_t i = 0; i < 4; ++i) {
      addresses[i] = shared_base() + (step * 4 + i) * 512 + thread_index() % 32 * 16;
    }
  };
  for (uint32_t k = 0; k < 8; ++k) {
    address(k);
    load_matrices<4>(b, addresses);
    mma<Factor>(scores, 0, a, b);
  }
  for (int row = 0; row < 4; ++row) scores[0][0][row] = quad_max(scores[0][0][row]);
  for (uint32_t k = 0; k < 8; ++k) {
    address(k);
    load_matrices<4, true>(b, addresses);
    mma<Factor>(out, k % 2 * 8, a, b);
  }
  sync_block();
}

}  // namespace

void print_costs() {
  const double empty = measure([] {});
  const auto print = [&](
                         const char* what, double count, const std::function<void()>& body,
                         const std::function<void()>& before = [] {}) {
    const double first = measure(before);
    std::printf("%-46s %10.1f ns\n", what, (measure([&] { before(), body(); }) - first) / count);
  };
  const auto repeat = [](auto body) {
    return [=] {
      for (int i = 0; i < kRepeat; ++i) body();
    };
  };
  std::printf("%-46s %10.1f ns\n", "block of 128 threads that do nothing", empty);
  const double warps = kRepeat * kThreads / 32, threads = kRepeat * kThreads;
  print("shuffle_xor, of a warp", warps, repeat([] { shuffle_xor(0.0f, 1); }));
  print("sync_block, of 128 threads", kRepeat, repeat([] { sync_block(); }));
  print("store_shared", threads, repeat([] { store_shared(word(), 1u); }));
  print("load_shared", threads, repeat([] { load_shared(word()); }),
        [] { store_shared(word(), 1u); });
  print("load_global", threads, repeat([] { load_global(words.data() + 5); }));
  print("copy_async of 16 bytes, with its wait", 8.0 * threads, repeat([] { copy_tile(); }));
  print("load_matrices<4>, of a warp", warps, repeat([] {
          const uint32_t a = shared_base() + 16 * (thread_index() % 32);
          const uint32_t addresses[4] = {a, a + 512, a + 1024, a + 1536};
          uint32_t registers[16];
          load_matrices<4>(registers, addresses);
        }),
        copy_tile);
  const auto products = repeat([] {
    float c[2][8][4] = {};
    const uint32_t a[8] = {}, b[16] = {};
    mma<float16>(c, 0, a, b);
  });
  print("mma of 2 x 8 float16 products, to nearest", warps, products);
  options.arithmetic = {sim::kHopper, 1};
  print("the same as on Hopper", warps, products);
  options.arithmetic = {sim::kAmpere, 1};
  print("the same as on Ampere", warps, products);
  print(
      "128 x 64 tile, head dim 128: collectives", 10,
      [] {
        for (int i = 0; i < 10; ++i) tile_products<float16>();
      },
      copy_tile);
}

}  // namespace fovea::test
