// The devices behind the stub of libcuda: host memory, and queues that nobody works off until
// somebody waits. So whatever forgets to wait, on the host or between streams, reads old contents
// every time, not now and then.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fovea::stub {

// CUresult, as far as it is used here.
enum Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchFailed = 719,
  kNotSupported = 801,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
  kCaptureUnmatched = 903,
  kCaptureIsolation = 905,
  kCapturedEvent = 907,
  kCaptureWrongThread = 908,
};

using Work = std::function<void()>;

struct Event;
struct Graph {
  std::vector<Work> work;
};

struct Stream {
  int device;
  std::deque<Work> queue{};
  std::shared_ptr<Graph> capture{};  // null: not capturing
  bool capture_valid = true;
  bool any_thread = false;  // may end the capture
  std::thread::id capture_thread{};

  // Captures it, or leaves it for whoever waits.
  void add(Work work);
  // Ends the capture's hopes, as the driver does at a call that cannot be captured.
  int invalidate(int result);
  void run_while(const std::function<bool()>& unfinished);
  void run_all() {
    run_while([] { return true; });
  }
};

struct Event {
  bool timed;
  uint64_t recorded = 0, happened = 0;  // counted, since an event may be recorded again
  std::shared_ptr<Stream> stream{};     // of the last record
  std::shared_ptr<Graph> capture{};     // the record was captured
  double milliseconds = 0;              // when it last happened

  bool pending() const { return happened < recorded; }
};

struct Block {
  size_t bytes;
  int device;  // -1: pinned host memory
};

class Machine {
 public:
  static constexpr size_t kMemory = size_t{1} << 30;  // of every device

  static Machine& get();

  // One lock for everything: held while work runs, so that work never meets work.
  std::recursive_mutex mutex;

  int devices() const { return device_count_; }
  std::shared_ptr<Stream> stream(void* handle);  // null if there is none
  void* open_stream(int device);
  bool close_stream(void* handle);
  void synchronize(int device);

  std::shared_ptr<Event> event(void* handle) { return find(events_, handle); }
  void* open_event(bool timed);
  bool close_event(void* handle) { return events_.erase(handle) != 0; }

  std::shared_ptr<Graph> graph(void* handle) { return find(graphs_, handle); }
  void* open_graph(std::shared_ptr<Graph> graph);
  bool close_graph(void* handle) { return graphs_.erase(handle) != 0; }

  // Filled with a pattern: only whoever asks for zeros has them. Null where there is too little.
  void* allocate(size_t bytes, int device);
  // Later uses of it are found.
  bool free(void* address);
  size_t used(int device) const;
  // The block that holds all these bytes, or null.
  const Block* block(const void* address, size_t bytes) const;
  // Blocks of so many bytes.
  size_t live_blocks(size_t bytes) const {
    return std::count_if(blocks_.begin(), blocks_.end(),
                         [&](const auto& it) { return it.second.bytes == bytes; });
  }

  bool initialized = false;
  // Sticky: what every call returns from now on, 0 = nothing.
  int lost = 0;
  // The next call of these functions returns this.
  std::map<std::string, int> failures;
  std::map<std::string, long> calls;

 private:
  Machine();

  template <typename T>
  static std::shared_ptr<T> find(const std::map<void*, std::shared_ptr<T>>& all, void* handle) {
    const auto found = all.find(handle);
    return found == all.end() ? nullptr : found->second;
  }

  int device_count_;
  std::vector<std::shared_ptr<Stream>> default_streams_;  // of each device
  std::map<void*, std::shared_ptr<Stream>> streams_;
  std::vector<std::shared_ptr<Stream>> closed_streams_;  // with work left
  std::map<void*, std::shared_ptr<Event>> events_;
  std::map<void*, std::shared_ptr<Graph>> graphs_;
  std::map<uintptr_t, Block> blocks_;
};

// The device whose context is current on this thread, or -1.
int current_device();
void push_context(int device);
// False if there is none.
bool pop_context();

}  // namespace fovea::stub
