// Runs a case in GPU memory, on a stream of its own. Every buffer stands between two guards, whose
// bits are NaN in every type: what is written there is found, what is read there shows.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "replay.h"

namespace fovea::replay {
namespace {

constexpr int64_t kGuardBytes = 256;  // keeps what lies behind as aligned as cudaMalloc does
constexpr int kPoison = 0xFF;
constexpr int kWarmUps = 3;

void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) {
    die(std::string(call) + ": " + cudaGetErrorName(code) + " (" + cudaGetErrorString(code) + ")");
  }
}
#define CHECK(call) check(call, #call)

class Buffer {
 public:
  Buffer(int64_t bytes, const Options& options, cudaStream_t stream)
      : bytes_(bytes), guard_(options.bare ? 0 : kGuardBytes), stream_(stream) {
    CHECK(cudaMalloc(&base_, static_cast<size_t>(std::max<int64_t>(1, whole()))));
    if (!options.bare) {
      CHECK(cudaMemsetAsync(base_, kPoison, static_cast<size_t>(whole()), stream_));
    }
  }
  Buffer(Buffer&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)),
        bytes_(other.bytes_),
        guard_(other.guard_),
        stream_(other.stream_) {}
  ~Buffer() { cudaFree(base_); }

  unsigned char* data() const { return static_cast<unsigned char*>(base_) + guard_; }

  void fill(const Bytes& from) {
    CHECK(cudaMemcpyAsync(data(), from.data.get(), static_cast<size_t>(bytes_),
                          cudaMemcpyHostToDevice, stream_));
  }

  // Copies the contents out; returns what happened to the guards, if anything did.
  std::string read(unsigned char* to, const char* name) const {
    CHECK(
        cudaMemcpyAsync(to, data(), static_cast<size_t>(bytes_), cudaMemcpyDeviceToHost, stream_));
    CHECK(cudaStreamSynchronize(stream_));
    if (guard_ == 0) return "";
    std::vector<unsigned char> guards(static_cast<size_t>(2 * guard_));
    unsigned char* after = guards.data() + guard_;
    auto size = static_cast<size_t>(guard_);
    CHECK(cudaMemcpyAsync(guards.data(), base_, size, cudaMemcpyDeviceToHost, stream_));
    CHECK(cudaMemcpyAsync(after, data() + bytes_, size, cudaMemcpyDeviceToHost, stream_));
    CHECK(cudaStreamSynchronize(stream_));
    for (int64_t i = 0; i < guard_; ++i) {
      if (guards[static_cast<size_t>(guard_ - 1 - i)] != kPoison) {
        return "byte " + std::to_string(i + 1) + " before " + name + " was written";
      }
      if (after[i] != kPoison) {
        return "byte " + std::to_string(i + 1) + " after " + name + " was written";
      }
    }
    return "";
  }

 private:
  int64_t whole() const { return bytes_ + 2 * guard_; }

  void* base_ = nullptr;
  int64_t bytes_;
  int64_t guard_;
  cudaStream_t stream_;
};

// A case's buffers on the device; the host's keep what went in and get what comes out.
class Placed {
 public:
  Placed(Case& c, int64_t workspace_bytes, const Options& options, cudaStream_t stream)
      : stream_(stream) {
    void** next = places_.operands;
    for (Input& operand : c.in) *next++ = place(operand, nullptr, options);
    for (Output& output : c.out) *next++ = place(output, &output.before, options);
    workspace_.size = workspace_bytes;
    if (workspace_bytes > 0) {
      workspace_.allocate(workspace_bytes);
      items_.push_back(
          {Buffer(workspace_bytes, options, stream), &workspace_, nullptr, "workspace", false});
      places_.workspace = items_.back().buffer.data();
    }
    CHECK(cudaStreamSynchronize(stream));
  }

  const Places& places() const { return places_; }

  // Before each run: what was added must not be added twice.
  void reset() {
    for (Item& item : items_) {
      if (item.before != nullptr && item.before->size > 0) item.buffer.fill(*item.before);
    }
  }

  // Brings the outputs to the host; returns what was written that must not be.
  std::string fetch() {
    std::string wrong;
    for (Item& item : items_) {
      Bytes copy;
      if (item.input) copy.allocate(item.host->size);
      Bytes& to = item.input ? copy : *item.host;
      std::string overrun = item.buffer.read(to.data.get(), item.name);
      if (wrong.empty()) wrong = overrun;
      if (item.input && wrong.empty() &&
          std::memcmp(copy.data.get(), item.host->data.get(), static_cast<size_t>(copy.size))) {
        wrong = std::string(item.name) + ", an input, was written";
      }
    }
    return wrong;
  }

 private:
  struct Item {
    Buffer buffer;
    Bytes* host;
    const Bytes* before;  // of an output
    const char* name;
    bool input;
  };

  void* place(Input& operand, const Bytes* before, const Options& options) {
    if (!operand.present) return nullptr;
    Buffer buffer(operand.bytes.size, options, stream_);
    buffer.fill(operand.bytes);
    void* address = buffer.data() + operand.offset;
    items_.push_back({std::move(buffer), &operand.bytes, before, operand.name, before == nullptr});
    return address;
  }

  cudaStream_t stream_;
  std::vector<Item> items_;
  Bytes workspace_;
  Places places_ = {};
};

struct Event {
  cudaEvent_t event;
  Event() { CHECK(cudaEventCreate(&event)); }
  Event(const Event&) = delete;
  ~Event() { cudaEventDestroy(event); }
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

Verdict run_on_gpu(const Library& library, const fovea_plan& plan, Case& c,
                   const Options& options) {
  cudaStream_t stream;
  // Not ordered with the default stream: work that strayed there would be seen.
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  Verdict verdict;
  {
    Placed placed(c, plan.workspace_bytes, options, stream);
    auto run = [&] {
      for (int32_t phase = 0; phase < plan.phases && verdict.wrong.empty(); ++phase) {
        if (plan.items[phase] == 0) continue;
        verdict.wrong = run_items(library, plan, c, placed.places(), phase, 0, plan.items[phase],
                                  nullptr, stream);
      }
    };
    std::vector<double> microseconds;
    for (int i = 0; options.time && i < kWarmUps; ++i) run();
    for (int i = 0; i < options.runs && verdict.wrong.empty(); ++i) {
      placed.reset();
      if (!options.time) {
        run();
        continue;
      }
      Event start, end;
      CHECK(cudaEventRecord(start.event, stream));
      run();
      CHECK(cudaEventRecord(end.event, stream));
      CHECK(cudaEventSynchronize(end.event));
      float milliseconds = 0;
      CHECK(cudaEventElapsedTime(&milliseconds, start.event, end.event));
      microseconds.push_back(1e3 * milliseconds);
    }
    if (verdict.wrong.empty()) verdict.wrong = placed.fetch();
    if (!microseconds.empty()) verdict.microseconds = median(std::move(microseconds));
  }
  CHECK(cudaStreamDestroy(stream));
  return verdict;
}

}  // namespace fovea::replay
