// Replays cases that dev.fovea.testkit.CaseFile wrote against the C ABI: no JVM, so that sanitizers,
// valgrind and profilers see nothing but the library. A line of JSON for each case, and one at the end.
//
//   replay LIBRARY.so [options] FILE...
//
//   --threads N                   workers of the CPU library
//   --isa portable|avx2|avx512|avx512_bf16|amx|neon    its tier
//   --repeat N                    run each case N times; the last one is checked
//   --time                        on a GPU: time those runs by events, after a warm-up; N is 20
//   --bare                        on a GPU: no guards around buffers, workspace not filled, for
//                                 compute-sanitizer, which sees the ends of buffers itself
//
// Host buffers are malloc'ed to the byte, so that AddressSanitizer sees what passes their ends; those
// of libfovea_cuda lie on the GPU between guards.
#include "case_operands.h"
#include "replay.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <type_traits>

namespace fovea::replay {
namespace {

constexpr int kTimedRuns = 20;

Library load(const char* path) {
  void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) die(dlerror());
  return Library(handle);
}

#ifndef FOVEA_REPLAY_CUDA
constexpr bool kHasGpu = false;
#else
constexpr bool kHasGpu = true;
#endif

struct AlignedBlock {
  std::unique_ptr<void, Free> data;

  explicit AlignedBlock(int64_t bytes) {
    // aligned_alloc wants a multiple; what is asked for is documented to be enough.
    int64_t rounded = (bytes + FOVEA_ALIGNMENT - 1) / FOVEA_ALIGNMENT * FOVEA_ALIGNMENT;
    if (rounded > 0) {
      data.reset(std::aligned_alloc(FOVEA_ALIGNMENT, static_cast<size_t>(rounded)));
      if (!data) die("out of memory");
      std::memset(data.get(), 0xFF, static_cast<size_t>(rounded));  // NaN: nothing may count on 0
    }
  }
};

// In the case's own buffers: the CPU library, and the simulator's.
Verdict run_on_host(const Library& library, const fovea_plan& plan, Case& c,
                    const Options& options) {
  AlignedBlock workspace(plan.workspace_bytes);
  Places at{};
  void** next = at.operands;
  for (const Input& operand : c.in) *next++ = operand.address();
  for (const Output& output : c.out) *next++ = output.address();
  at.workspace = workspace.data.get();
  // A device takes all items of a phase in one call.
  const bool whole = plan.device_kind != FOVEA_DEVICE_CPU;
  const auto threads = static_cast<size_t>(whole ? 1 : options.threads);
  std::vector<AlignedBlock> scratch;
  for (size_t t = 0; t < threads; ++t) scratch.emplace_back(plan.scratch_bytes);
  std::vector<std::string> errors(threads);
  for (int r = 0; r < options.runs; ++r) {
    for (Output& output : c.out) output.reset();
    for (int32_t phase = 0; phase < plan.phases; ++phase) {
      const int64_t items = plan.items[phase];
      const int64_t step = whole ? items : 1;
      std::atomic<int64_t> next{0};
      auto work = [&](size_t t) {
        for (int64_t i; (i = next.fetch_add(step)) < items;) {
          std::string error =
              run_items(library, plan, c, at, phase, i, i + step, scratch[t].data.get(), nullptr);
          if (!error.empty()) errors[t] = error;
        }
      };
      std::vector<std::thread> workers;
      for (size_t t = 1; t < threads; ++t) workers.emplace_back(work, t);
      work(0);
      for (std::thread& worker : workers) worker.join();
    }
  }
  for (const std::string& error : errors) {
    if (!error.empty()) return {error};
  }
  return {};
}

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  char escape[8];
  for (unsigned char ch : text) {
    if (ch == '"' || ch == '\\') {
      quoted += {'\\', static_cast<char>(ch)};
    } else if (ch < ' ') {
      std::snprintf(escape, sizeof escape, "\\u%04x", ch);
      quoted += escape;
    } else {
      quoted += static_cast<char>(ch);
    }
  }
  return quoted + '"';
}

enum class Status { kPassed, kFailed, kUnsupported };

// Runs a case and prints its line.
Status replay(const Library& library, const fovea_device_info& device, bool on_gpu,
              const Options& options, const std::string& name, Case& c) {
  fovea_plan plan{};
  plan.size = sizeof plan;
  Verdict verdict;
  const int32_t status = library.plan(*c.operation)(c.spec.data.get(), &device, &plan);
  if (status != FOVEA_OK) {
    verdict.wrong = std::string("plan: ") + plan.error;
  } else if (std::string wrong = check_operands(plan, c); !wrong.empty()) {
    verdict.wrong = wrong;
  } else if (library.prepare(&plan) != FOVEA_OK) {
    verdict.wrong = std::string("prepare: ") + plan.error;
  } else {
#ifdef FOVEA_REPLAY_CUDA
    verdict =
        on_gpu ? run_on_gpu(library, plan, c, options) : run_on_host(library, plan, c, options);
#else
    (void)on_gpu;
    verdict = run_on_host(library, plan, c, options);
#endif
    for (const Output& output : c.out) {
      if (verdict.wrong.empty()) verdict.wrong = output.check();
    }
  }
  const Status said = verdict.wrong.empty()         ? Status::kPassed
                      : status == FOVEA_UNSUPPORTED ? Status::kUnsupported
                                                    : Status::kFailed;
  constexpr const char* words[] = {"passed", "failed", "unsupported"};
  std::printf("{\"case\": %s, \"status\": \"%s\"", quote(name).c_str(),
              words[static_cast<int>(said)]);
  if (plan.kernel[0] != '\0') std::printf(", \"kernel\": %s", quote(plan.kernel).c_str());
  if (!verdict.wrong.empty()) {
    std::printf(", \"reason\": %s, \"description\": %s", quote(verdict.wrong).c_str(),
                quote(c.description).c_str());
  } else if (options.time) {
    std::printf(", \"runs\": %d, \"us\": %.3f, \"tflops\": %.2f", options.runs,
                verdict.microseconds, plan.flops / verdict.microseconds * 1e-6);
  }
  std::printf("}\n");
  std::fflush(stdout);
  return said;
}

int32_t tier(const std::string& name, const fovea_device_info& device) {
  int32_t isa = name == "portable" ? FOVEA_ISA_PORTABLE
                : name == "avx2"   ? FOVEA_ISA_AVX2
                : name == "avx512" ? FOVEA_ISA_AVX512
                : name == "avx512_bf16" ? FOVEA_ISA_AVX512_BF16
                : name == "amx"    ? FOVEA_ISA_AMX
                : name == "neon"   ? FOVEA_ISA_NEON
                                        : 0;
  if ((device.isa_available >> isa & 1) == 0) die("no tier " + name + " here");
  return isa;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    die("usage: replay LIBRARY.so [--threads N] [--isa TIER] [--repeat N] [--time] [--bare] "
        "FILE...");
  }
  const Library library = load(argv[1]);
  fovea_library_info info{};
  info.size = sizeof info;
  if (library.library_query(&info) != FOVEA_OK) die(info.error);
  // The simulator's kernels run on host memory, whatever kind of device it describes.
  const bool on_gpu = std::strcmp(info.backend, "cuda") == 0;
  if (on_gpu && !kHasGpu) die("built without the CUDA runtime: build it where nvcc is");
  fovea_device_info device{};
  device.size = sizeof device;
  if (library.device_query(0, &device) != FOVEA_OK) die(device.error);

  Options options;
  int repeat = 0;
  std::vector<std::string> files;
  for (int a = 2; a < argc; ++a) {
    const std::string option = argv[a];
    const bool more = a + 1 < argc;
    if (option == "--threads" && more) {
      options.threads = std::max(1, std::atoi(argv[++a]));
    } else if (option == "--repeat" && more) {
      repeat = std::max(1, std::atoi(argv[++a]));
    } else if (option == "--isa" && more) {
      device.isa = tier(argv[++a], device);
    } else if (option == "--time") {
      options.time = true;
    } else if (option == "--bare") {
      options.bare = true;
    } else if (option.starts_with("--")) {
      die("no such option, or without its value: " + option);
    } else {
      files.push_back(option);
    }
  }
  if (options.time && !on_gpu)
    die("--time is for libfovea_cuda, and this is " + std::string(info.backend));
  options.runs = repeat > 0 ? repeat : options.time ? kTimedRuns : 1;

  long counts[3] = {};
  for (const std::string& name : files) {
    File file(name);
    for (int i = 0; !file.at_end(); ++i) {
      Case c;
      c.read(file);
      std::string which = i == 0 ? name : name + "#" + std::to_string(i);
      ++counts[static_cast<int>(replay(library, device, on_gpu, options, which, c))];
    }
  }
  std::printf("{\"passed\": %ld, \"failed\": %ld, \"unsupported\": %ld}\n", counts[0], counts[1],
              counts[2]);
  return counts[1] == 0 && counts[0] > 0 ? 0 : 1;
}

}  // namespace
}  // namespace fovea::replay

int main(int argc, char** argv) { return fovea::replay::main(argc, argv); }
