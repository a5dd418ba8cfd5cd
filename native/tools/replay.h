// What the places where a case can run share: the library, a run of all its phases, the verdict.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case_file.h"
#include "fovea.h"

namespace fovea::replay {

struct Library {
  decltype(&fovea_library_query) library_query;
  decltype(&fovea_device_query) device_query;
  decltype(&fovea_plan_attention) plan;
  decltype(&fovea_plan_attention_backward) plan_backward;
  decltype(&fovea_prepare_attention) prepare;
  decltype(&fovea_run_attention) run;
  decltype(&fovea_run_attention_backward) run_backward;
};

struct Options {
  int threads = 1;    // on the CPU
  int runs = 1;       // of each case; the last one is checked
  bool time = false;  // on a GPU
  bool bare = false;  // on a GPU: no guards, nothing filled that a kernel should write first
};

// Where the operands of a case lie, in its order.
struct Addresses {
  std::vector<void*> in, out;
  void* workspace;
};

struct Verdict {
  std::string wrong;        // empty if all is right
  double microseconds = 0;  // median of the runs, where they are timed
};

// Items [begin, end) of a phase; returns what is wrong, or nothing.
inline std::string run_items(const Library& library, const fovea_attention_plan& plan,
                             const Case& c, const Addresses& at, int32_t phase, int64_t begin,
                             int64_t end, void* scratch, void* stream) {
  fovea_attention_call call{};
  call.size = sizeof call;
  call.phase = phase;
  call.begin = begin;
  call.end = end;
  call.dropout_seed = c.seed;
  call.dropout_offset = c.dropout_offset;
  auto floats = [](void* p) { return static_cast<float*>(p); };
  auto ints = [](void* p) { return static_cast<const int32_t*>(p); };
  const auto& in = at.in;
  const auto& out = at.out;
  int32_t status =
      c.backward
          ? library.run_backward(&plan, &call, in[0], in[1], in[2], in[3], in[4], floats(in[5]),
                                 in[6], floats(in[7]), floats(in[8]), ints(in[9]), ints(in[10]),
                                 ints(in[11]), ints(in[12]), out[0], out[1], out[2], floats(out[3]),
                                 floats(out[4]), floats(out[5]), at.workspace, scratch, stream)
          : library.run(&plan, &call, in[0], in[1], in[2], in[3], floats(in[4]), floats(in[5]),
                        ints(in[6]), ints(in[7]), ints(in[8]), ints(in[9]), out[0], floats(out[1]),
                        floats(out[2]), at.workspace, scratch, stream);
  return status == FOVEA_OK ? "" : std::string("run: ") + call.error;
}

// In the memory of the current GPU (replay_cuda.cpp).
Verdict run_on_gpu(const Library& library, const fovea_attention_plan& plan, Case& c,
                   const Options& options);

}  // namespace fovea::replay
