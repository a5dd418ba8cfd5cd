// What the places where a case can run share: the library, a run of all its phases, the verdict.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <string>
#include <vector>

#include "case_file.h"
#include "run_any.h"

namespace fovea::replay {

struct Library {
  using Plan = int32_t(const void* spec, const fovea_device_info*, fovea_plan*);

  void* handle;  // for dlsym
  decltype(&fovea_library_query) library_query;
  decltype(&fovea_device_query) device_query;
  decltype(&fovea_prepare) prepare;

  explicit Library(void* from) : handle(from) {
    find(library_query, "fovea_library_query");
    find(device_query, "fovea_device_query");
    find(prepare, "fovea_prepare");
  }
  Plan* plan(const Operation& operation) const {
    Plan* function;
    find(function, std::string("fovea_plan_") + operation.name);
    return function;
  }
  void* run(const Operation& operation, int32_t pass) const {
    void* function;
    find(function, std::string("fovea_run_") + operation.name +
                       (pass == FOVEA_BACKWARD ? "_backward" : ""));
    return function;
  }

 private:
  template <typename Function>
  void find(Function& function, const std::string& name) const {
    void* const symbol = dlsym(handle, name.c_str());
    if (symbol == nullptr) die("no symbol " + name);
    function = reinterpret_cast<Function>(symbol);
  }
};

struct Options {
  int threads = 1;    // on the CPU
  int runs = 1;       // of each case; the last one is checked
  bool time = false;  // on a GPU
  bool bare = false;  // on a GPU: no guards, nothing filled that a kernel should write first
};

// Where the operands of a case lie, in the order of arguments.
struct Places {
  void* operands[kMostOperands];
  void* workspace;
};

struct Verdict {
  std::string wrong;        // empty if all is right
  double microseconds = 0;  // median of the runs, where they are timed
};

// Items [begin, end) of a phase; returns what is wrong, or nothing.
inline std::string run_items(const Library& library, const fovea_plan& plan, const Case& c,
                             const Places& at, int32_t phase, int64_t begin, int64_t end,
                             void* scratch, void* stream) {
  fovea_call call{};
  call.size = sizeof call;
  call.phase = phase;
  call.begin = begin;
  call.end = end;
  call.dropout_seed = c.seed;
  call.dropout_offset = c.dropout_offset;
  const int32_t status =
      run_of(c.operation->operands[c.pass].size())(library.run(*c.operation, c.pass), &plan, &call,
                                                   at.operands, at.workspace, scratch, stream);
  return status == FOVEA_OK ? "" : std::string("run: ") + call.error;
}

// In the memory of the current GPU (replay_cuda.cpp).
Verdict run_on_gpu(const Library& library, const fovea_plan& plan, Case& c,
                   const Options& options);

}  // namespace fovea::replay
