// Streams, events, captures and graphs; and what only tests call.

#include <chrono>
#include <iostream>
#include <thread>
#include <utility>

#include "call.h"

using namespace fovea::stub;

namespace {

double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

// ---- streams and events

FOVEA_STUB int cuStreamCreate(void** stream, unsigned) {
  return call("cuStreamCreate", true, [&] {
    *stream = machine().open_stream(current_device());
    return kSuccess;
  });
}

FOVEA_STUB int cuStreamDestroy_v2(void* stream) {
  return call("cuStreamDestroy", true,
              [&] { return machine().close_stream(stream) ? kSuccess : kInvalidHandle; });
}

FOVEA_STUB int cuStreamSynchronize(void* handle) {
  return call("cuStreamSynchronize", true, [&]() -> int {
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    if (stream->capture) return stream->invalidate(kCaptureUnsupported);
    stream->run_all();
    return kSuccess;
  });
}

FOVEA_STUB int cuEventCreate(void** event, unsigned flags) {
  return call("cuEventCreate", true, [&] {
    constexpr unsigned kDisableTiming = 2;
    *event = machine().open_event((flags & kDisableTiming) == 0);
    return kSuccess;
  });
}

FOVEA_STUB int cuEventDestroy_v2(void* event) {
  return call("cuEventDestroy", true,
              [&] { return machine().close_event(event) ? kSuccess : kInvalidHandle; });
}

FOVEA_STUB int cuEventRecord(void* event_handle, void* handle) {
  return call("cuEventRecord", true, [&] {
    const auto stream = machine().stream(handle);
    const auto event = machine().event(event_handle);
    if (!stream || !event) return kInvalidHandle;
    event->capture = stream->capture;
    if (stream->capture) return kSuccess;
    event->stream = stream;
    stream->add([event, record = ++event->recorded] {
      event->happened = record;
      event->milliseconds = now();
    });
    return kSuccess;
  });
}

FOVEA_STUB int cuStreamWaitEvent(void* handle, void* event_handle, unsigned) {
  return call("cuStreamWaitEvent", true, [&]() -> int {
    const auto stream = machine().stream(handle);
    const auto event = machine().event(event_handle);
    if (!stream || !event) return kInvalidHandle;
    if (stream->capture != event->capture) {
      // Into a capture from outside, or the fork of one, which is more than anybody needs here.
      return stream->capture ? stream->invalidate(kCaptureIsolation) : kNotSupported;
    }
    if (stream->capture) return kSuccess;  // it is behind that already
    stream->add([event, from = event->stream, record = event->recorded] {
      if (from) from->run_while([&] { return event->happened < record; });
    });
    return kSuccess;
  });
}

FOVEA_STUB int cuEventSynchronize(void* event_handle) {
  return call("cuEventSynchronize", true, [&] {
    const auto event = machine().event(event_handle);
    if (!event) return kInvalidHandle;
    if (event->capture) return kCapturedEvent;
    if (event->pending()) event->stream->run_while([&] { return event->pending(); });
    return kSuccess;
  });
}

FOVEA_STUB int cuEventQuery(void* event_handle) {
  return call("cuEventQuery", true, [&] {
    const auto event = machine().event(event_handle);
    if (!event) return kInvalidHandle;
    if (event->capture) return kCapturedEvent;
    if (!event->pending()) return kSuccess;
    bool more = true;  // whoever asks again and again sees the end of it
    event->stream->run_while([&] { return std::exchange(more, false); });
    return kNotReady;
  });
}

FOVEA_STUB int cuEventElapsedTime(float* milliseconds, void* from_handle, void* to_handle) {
  return call("cuEventElapsedTime", true, [&] {
    const auto from = machine().event(from_handle), to = machine().event(to_handle);
    if (!from || !to || !from->timed || !to->timed) return kInvalidHandle;
    if (from->pending() || to->pending()) return kNotReady;
    *milliseconds = float(to->milliseconds - from->milliseconds);
    return kSuccess;
  });
}

// ---- captures and graphs

FOVEA_STUB int cuStreamBeginCapture_v2(void* handle, int mode) {
  return call("cuStreamBeginCapture", true, [&]() -> int {
    constexpr int kRelaxed = 2;
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    if (stream->capture) return kInvalidValue;
    stream->capture = std::make_shared<Graph>();
    stream->capture_valid = true;
    stream->any_thread = mode == kRelaxed;
    stream->capture_thread = std::this_thread::get_id();
    return kSuccess;
  });
}

FOVEA_STUB int cuStreamIsCapturing(void* handle, int* status) {
  return call("cuStreamIsCapturing", true, [&]() -> int {
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    *status = stream->capture ? stream->capture_valid ? 1 : 2 : 0;
    return kSuccess;
  });
}

FOVEA_STUB int cuStreamEndCapture(void* handle, void** graph) {
  return call("cuStreamEndCapture", true, [&]() -> int {
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    if (!stream->capture) return kCaptureUnmatched;
    if (!stream->any_thread && stream->capture_thread != std::this_thread::get_id()) {
      return stream->invalidate(kCaptureWrongThread);
    }
    const auto captured = std::exchange(stream->capture, nullptr);
    if (!stream->capture_valid) return kCaptureInvalidated;
    *graph = machine().open_graph(captured);
    return kSuccess;
  });
}

FOVEA_STUB int cuGraphInstantiateWithFlags(void** executable, void* handle, unsigned long long) {
  return call("cuGraphInstantiate", true, [&] {
    const auto graph = machine().graph(handle);
    if (!graph) return kInvalidValue;
    *executable = machine().open_graph(graph);
    return kSuccess;
  });
}

FOVEA_STUB int cuGraphLaunch(void* executable, void* handle) {
  return call("cuGraphLaunch", true, [&] {
    const auto stream = machine().stream(handle);
    const auto graph = machine().graph(executable);
    if (!stream || !graph) return kInvalidHandle;
    for (const Work& work : graph->work) stream->add(work);
    return kSuccess;
  });
}

FOVEA_STUB int cuGraphDestroy(void* graph) {
  return call("cuGraphDestroy", true,
              [&] { return machine().close_graph(graph) ? kSuccess : kInvalidValue; });
}

FOVEA_STUB int cuGraphExecDestroy(void* executable) {
  return call("cuGraphExecDestroy", true,
              [&] { return machine().close_graph(executable) ? kSuccess : kInvalidValue; });
}

// ---- tests only

// Queues a kernel: run(argument) as often as it is launched, release(argument) in the end. What
// `run` returns is the text of a failure, or null. For the simulator.
FOVEA_STUB int fovea_stub_launch(void* handle, const char* (*run)(void*), void (*release)(void*),
                                 void* argument) {
  const std::shared_ptr<void> owned(argument, release);
  return call("kernel", true, [&] {
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    stream->add([owned, run] {
      if (const char* const failure = run(owned.get())) {
        std::cerr << "kernel on the stub of libcuda: " << failure << std::endl;
        machine().lost = kLaunchFailed;
      }
    });
    return kSuccess;
  });
}

// The next call of this function, named without its version, returns `result`.
FOVEA_STUB void fovea_stub_fail(const char* function, int result) {
  const std::lock_guard lock(machine().mutex);
  machine().failures[function] = result;
}

// The device is lost: everything returns `result`. 0 heals it.
FOVEA_STUB void fovea_stub_lose(int result) {
  const std::lock_guard lock(machine().mutex);
  machine().lost = result;
}

// How often this function was called.
FOVEA_STUB long fovea_stub_calls(const char* function) {
  const std::lock_guard lock(machine().mutex);
  return machine().calls[function];
}

// Blocks of so many bytes, device's and pinned, that are not freed.
FOVEA_STUB long fovea_stub_blocks(size_t bytes) {
  const std::lock_guard lock(machine().mutex);
  return long(machine().live_blocks(bytes));
}

// Pieces of work in a stream that nobody has waited for.
FOVEA_STUB long fovea_stub_pending(void* handle) {
  const std::lock_guard lock(machine().mutex);
  const auto stream = machine().stream(handle);
  return stream ? long(stream->queue.size()) : -1;
}
