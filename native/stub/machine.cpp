#include "machine.h"

#include <cstdlib>
#include <cstring>

namespace fovea::stub {
namespace {

constexpr int kAllocated = 0xCB, kFreed = 0xDD;
constexpr size_t kAlignment = 256;

thread_local std::vector<int> contexts;

int devices_wanted() {
  const char* const text = std::getenv("FOVEA_STUB_DEVICES");
  return text == nullptr ? 2 : std::atoi(text);
}

}  // namespace

int current_device() { return contexts.empty() ? -1 : contexts.back(); }

void push_context(int device) { contexts.push_back(device); }

bool pop_context() {
  if (contexts.empty()) return false;
  contexts.pop_back();
  return true;
}

void Stream::add(Work work) {
  if (capture) {
    capture->work.push_back(std::move(work));
  } else {
    queue.push_back(std::move(work));
  }
}

int Stream::invalidate(int result) {
  capture_valid = false;
  return result;
}

void Stream::run_while(const std::function<bool()>& unfinished) {
  while (!queue.empty() && unfinished()) {
    const Work work = std::move(queue.front());
    queue.pop_front();
    if (Machine::get().lost == 0) work();
  }
}

Machine::Machine() : device_count_(devices_wanted()) {
  for (int device = 0; device < device_count_; ++device) {
    default_streams_.push_back(std::make_shared<Stream>(Stream{.device = device}));
  }
}

Machine& Machine::get() {
  // Never destroyed: a thread of the JVM may still be here when the process ends.
  static Machine* const machine = new Machine;
  return *machine;
}

std::shared_ptr<Stream> Machine::stream(void* handle) {
  constexpr uintptr_t kPerThread = 2;  // 0 and 1: the default stream
  if (reinterpret_cast<uintptr_t>(handle) > kPerThread) return find(streams_, handle);
  return current_device() < 0 ? nullptr : default_streams_[current_device()];
}

void* Machine::open_stream(int device) {
  auto stream = std::make_shared<Stream>(Stream{.device = device});
  void* const handle = stream.get();
  streams_.emplace(handle, std::move(stream));
  return handle;
}

bool Machine::close_stream(void* handle) {
  const auto stream = find(streams_, handle);
  if (!stream) return false;
  if (!stream->queue.empty()) closed_streams_.push_back(stream);
  streams_.erase(handle);
  return true;
}

void Machine::synchronize(int device) {
  std::vector<std::shared_ptr<Stream>> all = closed_streams_;
  all.push_back(default_streams_[device]);
  for (const auto& [handle, stream] : streams_) all.push_back(stream);
  for (const auto& stream : all) {
    if (stream->device == device) stream->run_all();
  }
}

void* Machine::open_event(bool timed) {
  auto event = std::make_shared<Event>(Event{.timed = timed});
  void* const handle = event.get();
  events_.emplace(handle, std::move(event));
  return handle;
}

void* Machine::open_graph(std::shared_ptr<Graph> graph) {
  // A handle of its own: a graph and what is instantiated from it share the work.
  auto copy = std::make_shared<Graph>(*graph);
  void* const handle = copy.get();
  graphs_.emplace(handle, std::move(copy));
  return handle;
}

size_t Machine::used(int device) const {
  size_t bytes = 0;
  for (const auto& [address, block] : blocks_) {
    if (block.device == device) bytes += block.bytes;
  }
  return bytes;
}

void* Machine::allocate(size_t bytes, int device) {
  if (device >= 0 && bytes > kMemory - used(device)) {
    synchronize(device);  // what is freed in a queue counts as soon as that is worked off
    if (bytes > kMemory - used(device)) return nullptr;
  }
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* const address = std::aligned_alloc(kAlignment, rounded);
  if (address == nullptr) return nullptr;
  std::memset(address, kAllocated, bytes);
  blocks_[reinterpret_cast<uintptr_t>(address)] = {bytes, device};
  return address;
}

bool Machine::free(void* address) {
  const auto found = blocks_.find(reinterpret_cast<uintptr_t>(address));
  if (found == blocks_.end()) return false;
  std::memset(address, kFreed, found->second.bytes);
  blocks_.erase(found);
  std::free(address);
  return true;
}

const Block* Machine::block(const void* address, size_t bytes) const {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
  auto found = blocks_.upper_bound(begin);
  if (found == blocks_.begin()) return nullptr;
  --found;
  const uintptr_t offset = begin - found->first;
  const bool inside = offset <= found->second.bytes && bytes <= found->second.bytes - offset;
  return inside ? &found->second : nullptr;
}

}  // namespace fovea::stub
