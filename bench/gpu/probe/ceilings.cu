// How much one multiprocessor does in a cycle of the instructions that the kernels are made of, and
// what memory gives: what a model of a kernel starts from. The first line of JSON describes the
// device, the others are measurements,
//   {"ceiling", "unit", "amount", "blocks", "cycles", "ns", "right"}
// where each of `blocks` blocks, one to a multiprocessor, did `amount` units in the `cycles` of its
// own clock (the median block's; null where blocks say nothing), all of them in `ns`, by events.
// What was computed is compared with what it must be, so that nothing is timed that was optimised
// away. ../ceil.py makes rates of them, and knows the limits.
#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "ceilings_kernels.cuh"
#include "tensor_map.h"

namespace fovea {
namespace {

void check(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s (%s)\n", call, cudaGetErrorName(code), cudaGetErrorString(code));
  std::exit(2);
}
#define CHECK(call) check(call, #call)

template <class T>
struct DeviceArray {
  T* data = nullptr;
  size_t count;

  explicit DeviceArray(size_t count) : count(count) { CHECK(cudaMalloc(&data, count * sizeof(T))); }
  DeviceArray(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data); }

  void zero() { CHECK(cudaMemset(data, 0, count * sizeof(T))); }
  std::vector<T> host() const {
    std::vector<T> copy(count);
    CHECK(cudaMemcpy(copy.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
    return copy;
  }
};

using Results = std::vector<std::uint32_t>;  // of all threads, block after block

class Ceilings {
 public:
  Ceilings() {
    cudaDeviceProp properties;
    CHECK(cudaGetDeviceProperties(&properties, 0));
    blocks_ = properties.multiProcessorCount;
    CHECK(cudaEventCreate(&start_));
    CHECK(cudaEventCreate(&end_));
    std::printf(
        "{\"device\": \"%s\", \"capability\": \"%d.%d\", \"multiprocessors\": %d, \"bus_bits\": "
        "%d}\n",
        properties.name, properties.major, properties.minor, blocks_, properties.memoryBusWidth);
  }

  void matrix_products() {
    constexpr int kRounds = 1 << 12;
    const double warps = kThreads / 32.0 * kRounds * kMmasOfRound;
    measure("mma/m16n8k16/bf16", "FLOP", warps * 2 * 16 * 8 * 16, all_are(16.0f * kRounds),
            mma_kernel<bfloat16>, kThreads, 0, kRounds, 0x3f803f80);
    measure("mma/m16n8k8/tf32", "FLOP", warps * 2 * 16 * 8 * 8, all_are(8.0f * kRounds),
            mma_kernel<tile::Tf32>, kThreads, 0, kRounds, 0x3f800000);
    wgmma<32>();
    wgmma<64>();
    wgmma<96>();
    wgmma<128>();
    wgmma<160>();
    wgmma<192>();
    wgmma<224>();
    wgmma<256>();
  }

  void arithmetic() {
    constexpr int kRounds = 1 << 10;
    constexpr double kWhole = double{kThreads} * kRounds * kLinks * kChains;
    std::uint32_t a = 1, b = 1;
    for (int i = 0; i < kRounds * kLinks; ++i) b += a += b;
    const std::uint32_t pair = a + b;
    const auto chain = [&](const char* name, auto kernel, float x, std::uint32_t y) {
      const auto right = [=](std::uint32_t result) {
        return std::fabs(std::bit_cast<float>(result - y) - x) < 1e-5f;
      };
      measure(name, "instruction", kWhole, every(right), kernel, kThreads, 0, kRounds, 0.5f, 1.0f);
    };
    chain("ffma", chain_kernel<Chain::kFma>, 2, kChains);
    chain("iadd", chain_kernel<Chain::kAdd>, 1, kChains / 2 * pair);
    chain("issue/ffma and iadd", chain_kernel<Chain::kFmaAndAdd>, 1.5f,
          kChains / 2 + kChains / 4 * pair);
    chain("ex2", chain_kernel<Chain::kExp2>, 0.6411857f, kChains);
  }

  void shared_memory() {
    constexpr int kRounds = 1 << 10;
    const double bytes = double{kBlockBytes} * kRounds;
    const auto loaded = [=](size_t) {
      std::uint32_t sum = 0;
      for (std::uint32_t i = 0; i < kBlockBytes / 4; ++i) sum += i;
      return kRounds * sum;
    };
    measure("ldmatrix/x4", "B", bytes, blocks_sum_to(loaded), ldmatrix_kernel<1>, kThreads,
            kBlockBytes, kRounds);
    measure("ldmatrix/x4, conflicts of 2", "B", bytes, blocks_sum_to(loaded), ldmatrix_kernel<2>,
            kThreads, kBlockBytes, kRounds);

    DeviceArray<std::uint32_t> words(size_t(blocks_) * kBlockBytes / 4);
    fill(words);
    const auto* from = reinterpret_cast<const uint4*>(words.data);
    const auto copied = [](size_t block) {
      return sum_of(block * kBlockBytes / 4, kBlockBytes / 4);
    };
    measure("cp.async/16 B from L2", "B", bytes, blocks_sum_to(copied), cp_async_kernel<1>,
            kThreads, kBlockBytes, kRounds, from);
    measure("cp.async/16 B from L2, conflicts of 2", "B", bytes, blocks_sum_to(copied),
            cp_async_kernel<2>, kThreads, kBlockBytes, kRounds, from);
  }

  // Additions in L2, where the sums of dquery of the heads under way lie.
  void additions() {
    constexpr int kRounds = 1 << 11;
    DeviceArray<float> sums(size_t(blocks_) * kThreads * 4);
    const double amount = double{kThreads} * 4 * kRounds;
    const auto right = [&](const Results&) {
      const std::vector<float> all = sums.host();
      return std::all_of(all.begin(), all.end(), [](float x) { return x == kLaunches * kRounds; });
    };
    sums.zero();
    measure("red/f32", "addition", amount, right, red_kernel<1>, kThreads, 0, kRounds, sums.data);
    sums.zero();
    measure("red/v4.f32", "addition", amount, right, red_kernel<4>, kThreads, 0, kRounds,
            sums.data);
  }

  void memory() {
    constexpr size_t kBytes = size_t{1} << 30;
    DeviceArray<std::uint32_t> from(kBytes / 4), to(kBytes / 4), copied(1);
    fill(from);
    tma<1>("tma/latency of 1 KiB in L2", from, 8, 0);
    tma<1>("tma/latency of 1 KiB in memory", from, 8, blocks_);
    tma<8>("tma/16 KiB boxes in L2", from, 128, 0);
    tma<8>("tma/16 KiB boxes in memory", from, 128, blocks_);

    to.zero();
    copied.zero();
    double ns = INFINITY;
    for (int i = 0; i < kLaunches; ++i) {
      ns = std::min(ns, timed([&] {
                      copy_kernel<<<kBytes / (kThreads * kCopiesOfThread * 16), kThreads>>>(
                          reinterpret_cast<const uint4*>(from.data),
                          reinterpret_cast<uint4*>(to.data));
                    }));
    }
    count_kernel<<<8 * blocks_, kThreads>>>(to.data, to.count, copied.data);
    CHECK(cudaGetLastError());
    print("memory/copy, read and written", "B", 2.0 * kBytes, 1, 0, ns,
          copied.host()[0] == to.count);
  }

 private:
  static constexpr int kLaunches = 5;
  using Right = std::function<bool(const Results&)>;

  template <int kN>
  void wgmma() {
    constexpr int kRounds = 1 << 12;
    constexpr int kBytes = (64 * kGroups + kN) * kRowBytes;
    const std::string shape = "wgmma/m64n" + std::to_string(kN) + "k16/bf16, a in ";
    const double amount = double{kGroups} * kRounds * kProductsOfRound * 2 * 64 * kN * 16;
    const Right right = all_are(16.0f * kProductsOfRound * kRounds);
    measure(shape + "shared memory", "FLOP", amount, right, wgmma_kernel<kN, true>, 128 * kGroups,
            kBytes, kRounds, 0x3f803f80);
    measure(shape + "registers", "FLOP", amount, right, wgmma_kernel<kN, false>, 128 * kGroups,
            kBytes, kRounds, 0x3f803f80);
  }

  // With one stage the next box is asked for when the last is there. All together are twice L2 at least.
  template <int kStages>
  void tma(const char* name, const DeviceArray<std::uint32_t>& words, int box_rows, int step) {
    const int box_words = box_rows * kRowBytes / 4;
    const int rounds = kStages == 1 ? 1024 : int(words.count / box_words / blocks_);
    char error[FOVEA_ERROR_LENGTH];
    TensorMap map;
    if (encode_matrix(map, words.data, words.count * 4 / kRowBytes, kRowBytes / 2, box_rows, error,
                      sizeof error)) {
      std::fprintf(stderr, "%s\n", error);
      std::exit(2);
    }
    const auto last = [=](size_t block) {
      std::uint32_t sum = 0;
      for (int round = rounds - kStages; round < rounds; ++round) {
        sum += sum_of((block + size_t(round) * step) * box_words, box_words);
      }
      return sum;
    };
    const size_t shared_bytes = kStages * (box_words * 4 + sizeof(std::uint64_t));
    measure(name, kStages == 1 ? "load" : "B", kStages == 1 ? rounds : 4.0 * box_words * rounds,
            blocks_sum_to(last), tma_kernel<kStages>, kThreads, shared_bytes, rounds, box_rows,
            step, map);
  }

  void fill(DeviceArray<std::uint32_t>& words) {
    fill_kernel<<<8 * blocks_, kThreads>>>(words.data, words.count);
    CHECK(cudaGetLastError());
  }

  static std::uint32_t sum_of(size_t first, size_t count) {
    std::uint32_t sum = 0;
    for (size_t i = first; i < first + count; ++i) sum += word(i);
    return sum;
  }

  template <class One>
  static Right every(One one) {
    return [=](const Results& results) { return std::all_of(results.begin(), results.end(), one); };
  }
  static Right all_are(float value) {
    return every([=](std::uint32_t result) { return std::bit_cast<float>(result) == value; });
  }
  template <class OfBlock>
  Right blocks_sum_to(OfBlock of_block) const {
    return [=, blocks = size_t(blocks_)](const Results& results) {
      const size_t threads = results.size() / blocks;
      for (size_t block = 0; block < blocks; ++block) {
        std::uint32_t sum = 0;
        for (size_t i = 0; i < threads; ++i) sum += results[block * threads + i];
        if (sum != of_block(block)) return false;
      }
      return true;
    };
  }

  // The fastest of several launches.
  template <class... Parameters, class... Arguments>
  void measure(const std::string& name, const char* unit, double amount, const Right& right,
               void (*kernel)(Parameters...), int threads, size_t shared_bytes,
               const Arguments&... arguments) {
    DeviceArray<std::uint32_t> results(size_t(blocks_) * threads);
    DeviceArray<long long> cycles(blocks_);
    CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               int(shared_bytes)));
    double least_ns = INFINITY, least_cycles = INFINITY;
    for (int i = 0; i < kLaunches; ++i) {
      least_ns = std::min(least_ns, timed([&] {
                            kernel<<<blocks_, threads, shared_bytes>>>(
                                arguments..., Out{results.data, cycles.data});
                          }));
      std::vector<long long> all = cycles.host();
      std::nth_element(all.begin(), all.begin() + blocks_ / 2, all.end());
      least_cycles = std::min(least_cycles, double(all[blocks_ / 2]));
    }
    print(name, unit, amount, blocks_, least_cycles, least_ns, right(results.host()));
  }

  template <class Launch>
  double timed(const Launch& launch) {
    CHECK(cudaEventRecord(start_));
    launch();
    CHECK(cudaGetLastError());
    CHECK(cudaEventRecord(end_));
    CHECK(cudaEventSynchronize(end_));
    float milliseconds;
    CHECK(cudaEventElapsedTime(&milliseconds, start_, end_));
    return 1e6 * milliseconds;
  }

  static void print(const std::string& name, const char* unit, double amount, int blocks,
                    double cycles, double ns, bool right) {
    const std::string own = cycles > 0 ? std::to_string(static_cast<long long>(cycles)) : "null";
    std::printf(
        "{\"ceiling\": \"%s\", \"unit\": \"%s\", \"amount\": %.0f, \"blocks\": %d, \"cycles\": %s, "
        "\"ns\": %.0f, \"right\": %s}\n",
        name.c_str(), unit, amount, blocks, own.c_str(), ns, right ? "true" : "false");
    std::fflush(stdout);
  }

  int blocks_;  // as many as multiprocessors
  cudaEvent_t start_, end_;
};

}  // namespace
}  // namespace fovea

int main() {
  fovea::Ceilings ceilings;
  ceilings.matrix_products();
  ceilings.arithmetic();
  ceilings.shared_memory();
  ceilings.additions();
  ceilings.memory();
}
