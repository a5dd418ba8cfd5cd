// The probes without a JVM: what compute-sanitizer and the profilers run. Checks each product against a double product,
// prints one line per probe and exits with 1 if one is wrong. Outputs are not filled beforehand: initcheck shall see
// what a kernel leaves unwritten.
#include <cuda_runtime_api.h>
#include <probe.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <vector>

namespace {

void check(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", call, cudaGetErrorString(code));
  std::exit(2);
}
#define CHECK(call) check(call, #call)

struct DeviceMemory {
  void* address = nullptr;
  explicit DeviceMemory(size_t bytes) { CHECK(cudaMalloc(&address, bytes)); }
  template <class T>
  explicit DeviceMemory(const std::vector<T>& contents) : DeviceMemory(contents.size() * sizeof(T)) {
    CHECK(cudaMemcpy(address, contents.data(), contents.size() * sizeof(T), cudaMemcpyHostToDevice));
    CHECK(cudaDeviceSynchronize());  // the probes' stream does not wait for this one
  }
  DeviceMemory(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(address); }
};

std::vector<std::uint16_t> random_bfloat16(size_t size, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  std::vector<std::uint16_t> values(size);
  for (auto& value : values) value = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(normal(random)) >> 16);
  return values;
}

double widen(std::uint16_t value) { return std::bit_cast<float>(std::uint32_t{value} << 16); }

struct Prober {
  cudaStream_t stream;
  std::mt19937_64 random{1};
  bool failed = false;

  // Prints and returns whether the output is there to be checked.
  bool launched(const char* name, int status, const char* error) {
    if (status == FOVEA_OK) {
      CHECK(cudaStreamSynchronize(stream));
      return true;
    }
    failed |= status != FOVEA_UNSUPPORTED;
    std::printf("%s: %s: %s\n", name, status == FOVEA_UNSUPPORTED ? "unsupported" : "failed", error);
    return false;
  }

  void verdict(const char* name, double error, double limit) {
    const bool right = error <= limit;  // not so for NaN
    failed |= !right;
    std::printf("%s: %s, relative error %.3g\n", name, right ? "passed" : "failed", error);
  }

  void copy(size_t bytes) {
    char error[FOVEA_ERROR_LENGTH] = "";
    std::vector<unsigned char> source(bytes), copied(bytes);
    for (auto& value : source) value = static_cast<unsigned char>(random());
    DeviceMemory from(source), to(bytes);
    if (!launched("copy", fovea_cuda_probe_copy(from.address, to.address, bytes, stream, error, sizeof error), error))
      return;
    CHECK(cudaMemcpy(copied.data(), to.address, bytes, cudaMemcpyDeviceToHost));
    verdict("copy", copied == source ? 0 : INFINITY, 0);
  }

  using Launch = std::function<int(const void*, const void*, void*, void*, char*, size_t)>;

  // c[m][n] = a[m][k] * b, where b is [n][k] if transposed and [k][n] if not.
  void product(const char* name, int m, int n, int k, bool transposed, const Launch& launch) {
    char error[FOVEA_ERROR_LENGTH] = "";
    const auto a = random_bfloat16(m * k, random), b = random_bfloat16(n * k, random);
    std::vector<float> c(m * n);
    DeviceMemory device_a(a), device_b(b), device_c(c.size() * sizeof(float));
    const int status = launch(device_a.address, device_b.address, device_c.address, stream, error, sizeof error);
    if (!launched(name, status, error)) return;
    CHECK(cudaMemcpy(c.data(), device_c.address, c.size() * sizeof(float), cudaMemcpyDeviceToHost));
    double difference = 0, norm = 0;
    for (int row = 0; row < m; ++row)
      for (int column = 0; column < n; ++column) {
        double expected = 0;
        for (int i = 0; i < k; ++i)
          expected += widen(a[row * k + i]) * widen(b[transposed ? column * k + i : i * n + column]);
        difference += std::pow(c[row * n + column] - expected, 2);
        norm += expected * expected;
      }
    verdict(name, std::sqrt(difference / norm), 1e-5);
  }
};

}  // namespace

int main() {
  Prober prober;
  CHECK(cudaStreamCreateWithFlags(&prober.stream, cudaStreamNonBlocking));
  prober.copy(1 << 20);
  prober.copy(1037);  // a tail that is no whole vector
  prober.product("mma", 16, 8, 16, true, fovea_cuda_probe_mma);
  for (const int product : {FOVEA_PROBE_SCORES, FOVEA_PROBE_VALUES})
    prober.product(product == FOVEA_PROBE_SCORES ? "wgmma-scores" : "wgmma-values", 64, 128, 64,
                   product == FOVEA_PROBE_SCORES,
                   [product](auto... arguments) { return fovea_cuda_probe_wgmma(product, arguments...); });
  CHECK(cudaStreamDestroy(prober.stream));
  return prober.failed ? 1 : 0;
}
