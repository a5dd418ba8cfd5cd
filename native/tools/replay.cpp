// Replays cases that dev.fovea.testkit.CaseFile wrote (its Javadoc defines the format) against the
// C ABI: no JVM, so that sanitizers, valgrind and profilers see nothing but the library. Buffers
// are malloc'ed to the byte, so that AddressSanitizer sees what passes their ends.
//
//   replay LIBRARY.so [--threads N] [--isa portable|avx2|avx512] FILE...
//
// With -DFOVEA_REPLAY_LINKED the library is linked instead, and the first argument is left out.
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "fovea.h"

namespace {

struct Library {
  decltype(&fovea_device_query) device_query;
  decltype(&fovea_plan_attention) plan;
  decltype(&fovea_prepare_attention) prepare;
  decltype(&fovea_run_attention) run;
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "replay: %s\n", why.c_str());
  std::exit(2);
}

#ifdef FOVEA_REPLAY_LINKED
Library load(const char*) {
  return {fovea_device_query, fovea_plan_attention, fovea_prepare_attention, fovea_run_attention};
}
#else
Library load(const char* path) {
  void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) die(dlerror());
  auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr) die(std::string("no symbol ") + name);
  };
  Library library{};
  find(library.device_query, "fovea_device_query");
  find(library.plan, "fovea_plan_attention");
  find(library.prepare, "fovea_prepare_attention");
  find(library.run, "fovea_run_attention");
  return library;
}
#endif

struct Free {
  void operator()(void* p) const { std::free(p); }
};

// Exact-size storage. The address of an empty buffer is not NULL, which would mean "absent".
struct Bytes {
  std::unique_ptr<unsigned char, Free> data;
  int64_t size = 0;

  void allocate(int64_t bytes) {
    size = bytes;
    data.reset(static_cast<unsigned char*>(std::malloc(bytes > 0 ? bytes : 1)));
    if (!data) die("out of memory");
  }
};

struct File {
  std::FILE* stream;

  bool at_end() {
    int c = std::fgetc(stream);
    if (c != EOF) std::ungetc(c, stream);
    return c == EOF;
  }
  void read(void* to, size_t bytes) {
    if (bytes > 0 && std::fread(to, 1, bytes, stream) != bytes) die("file ends inside a case");
  }
  template <typename T>
  T get() {
    T value;
    read(&value, sizeof value);
    return value;
  }
};

struct Operand {
  bool present = false;
  int64_t offset = 0;
  Bytes bytes;

  void read(File& file) {
    present = file.get<int32_t>() != 0;
    if (!present) return;
    offset = file.get<int64_t>();
    bytes.allocate(file.get<int64_t>());
    file.read(bytes.data.get(), static_cast<size_t>(bytes.size));
  }
  template <typename T = void>
  T* address() const {
    return present ? reinterpret_cast<T*>(bytes.data.get() + offset) : nullptr;
  }
};

enum State : uint8_t { kUntouched = 0, kCompare = 1, kFree = 2 };

struct Output : Operand {
  int32_t dtype = 0;
  uint32_t canary = 0;
  int64_t elements = 0;
  std::vector<uint8_t> state;
  std::vector<double> expected;  // (value, allowed error) of each element of state kCompare
  double allowed_rmse = 0;

  size_t width() const { return dtype == FOVEA_FLOAT32 ? 4 : 2; }

  void read(File& file) {
    present = file.get<int32_t>() != 0;
    if (!present) return;
    dtype = file.get<int32_t>();
    canary = file.get<uint32_t>();
    offset = file.get<int64_t>();
    elements = file.get<int64_t>();
    state.resize(static_cast<size_t>(elements));
    file.read(state.data(), state.size());
    size_t compared = 0;
    for (uint8_t s : state) compared += s == kCompare;
    expected.resize(2 * compared);
    file.read(expected.data(), expected.size() * sizeof(double));
    allowed_rmse = file.get<double>();
    bytes.allocate(elements * static_cast<int64_t>(width()));
    for (int64_t i = 0; i < elements; ++i) {
      std::memcpy(bytes.data.get() + i * static_cast<int64_t>(width()), &canary, width());
    }
  }

  static double value(int32_t dtype, uint32_t bits) {
    if (dtype == FOVEA_BFLOAT16) bits <<= 16;
    if (dtype != FOVEA_FLOAT16) {
      float f;
      std::memcpy(&f, &bits, sizeof f);
      return f;
    }
    int exponent = static_cast<int>(bits >> 10 & 31);
    double mantissa = bits & 1023;
    double size = exponent == 0    ? std::ldexp(mantissa, -24)
                  : exponent == 31 ? (mantissa == 0 ? HUGE_VAL : NAN)
                                   : std::ldexp(1024 + mantissa, exponent - 25);
    return bits & 0x8000 ? -size : size;
  }

  // Empty if all is right.
  std::string check(const char* name) const {
    if (!present) return "";
    double squares = 0;
    int64_t finite = 0;
    size_t next = 0;
    char text[256];
    for (int64_t i = 0; i < elements; ++i) {
      uint32_t bits = 0;
      std::memcpy(&bits, bytes.data.get() + i * static_cast<int64_t>(width()), width());
      double got = value(dtype, bits);
      double want = 0;
      bool right = true;
      switch (state[static_cast<size_t>(i)]) {
        case kUntouched: right = bits == canary; break;
        case kFree: break;
        default:
          want = expected[next];
          double allowed = expected[next + 1];
          next += 2;
          if (std::isnan(want) || std::isinf(want)) {
            right = bits != canary && (got == want || (std::isnan(got) && std::isnan(want)));
          } else {
            right = got == want || std::fabs(got - want) <= allowed;
            squares += (got - want) * (got - want);
            ++finite;
          }
      }
      if (!right) {
        std::snprintf(text, sizeof text, "%s[%lld] = %.9g (bits %x), expected %.9g", name,
                      static_cast<long long>(i), got, bits, want);
        return text;
      }
    }
    double rmse = std::sqrt(squares / static_cast<double>(finite > 0 ? finite : 1));
    if (rmse <= allowed_rmse) return "";
    std::snprintf(text, sizeof text, "%s: rmse %.4g, allowed %.4g", name, rmse, allowed_rmse);
    return text;
  }
};

struct Case {
  std::string description;
  Bytes spec;
  uint64_t seed = 0;
  uint32_t dropout_offset = 0;
  Operand in[10];
  Output out, lse, weights;

  void read(File& file) {
    char magic[8];
    file.read(magic, sizeof magic);
    if (std::memcmp(magic, "FOVCASE1", sizeof magic) != 0) die("not a case file");
    description.resize(static_cast<size_t>(file.get<int32_t>()));
    file.read(description.data(), description.size());
    spec.allocate(file.get<int32_t>());
    file.read(spec.data.get(), static_cast<size_t>(spec.size));
    seed = file.get<uint64_t>();
    dropout_offset = file.get<uint32_t>();
    for (Operand& operand : in) operand.read(file);
    out.read(file);
    lse.read(file);
    weights.read(file);
  }
};

struct AlignedBlock {
  std::unique_ptr<void, Free> data;

  explicit AlignedBlock(int64_t bytes) {
    // aligned_alloc wants a multiple; what is asked for is documented to be enough.
    int64_t rounded = (bytes + FOVEA_ALIGNMENT - 1) / FOVEA_ALIGNMENT * FOVEA_ALIGNMENT;
    if (rounded > 0) {
      data.reset(std::aligned_alloc(FOVEA_ALIGNMENT, static_cast<size_t>(rounded)));
      std::memset(data.get(), 0xFF, static_cast<size_t>(rounded));  // NaN: nothing may count on 0
    }
  }
};

std::string run(const Library& library, const fovea_device_info& device, const Case& c,
                int threads) {
  fovea_attention_plan plan{};
  plan.size = sizeof plan;
  auto* spec = reinterpret_cast<const fovea_attention_spec*>(c.spec.data.get());
  if (library.plan(spec, &device, &plan) != FOVEA_OK) return std::string("plan: ") + plan.error;
  if (library.prepare(&plan) != FOVEA_OK) return std::string("prepare: ") + plan.error;
  AlignedBlock workspace(plan.workspace_bytes);
  std::vector<AlignedBlock> scratch;
  for (int t = 0; t < threads; ++t) scratch.emplace_back(plan.scratch_bytes);
  std::vector<std::string> errors(static_cast<size_t>(threads));
  for (int32_t phase = 0; phase < plan.phases; ++phase) {
    std::atomic<int64_t> next{0};
    auto work = [&](int t) {
      for (int64_t i = next++; i < plan.items[phase]; i = next++) {
        fovea_attention_call call{};
        call.size = sizeof call;
        call.phase = phase;
        call.begin = i;
        call.end = i + 1;
        call.dropout_seed = c.seed;
        call.dropout_offset = c.dropout_offset;
        const Operand* in = c.in;
        int32_t status = library.run(
            &plan, &call, in[0].address(), in[1].address(), in[2].address(), in[3].address(),
            in[4].address<float>(), in[5].address<float>(), in[6].address<int32_t>(),
            in[7].address<int32_t>(), in[8].address<int32_t>(), in[9].address<int32_t>(),
            c.out.address(), c.lse.address<float>(), c.weights.address<float>(),
            workspace.data.get(), scratch[static_cast<size_t>(t)].data.get(), nullptr);
        if (status != FOVEA_OK) errors[static_cast<size_t>(t)] = std::string("run: ") + call.error;
      }
    };
    std::vector<std::thread> workers;
    for (int t = 1; t < threads; ++t) workers.emplace_back(work, t);
    work(0);
    for (std::thread& worker : workers) worker.join();
  }
  for (const std::string& error : errors) {
    if (!error.empty()) return error;
  }
  for (std::string wrong : {c.out.check("out"), c.lse.check("lse"), c.weights.check("weights")}) {
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  int first = 1;
  const char* path = nullptr;
#ifndef FOVEA_REPLAY_LINKED
  if (argc < 3) die("usage: replay LIBRARY.so [--threads N] [--isa TIER] FILE...");
  path = argv[first++];
#endif
  Library library = load(path);
  fovea_device_info device{};
  device.size = sizeof device;
  if (library.device_query(0, &device) != FOVEA_OK) die(device.error);
  int threads = 1;
  long passed = 0;
  long failed = 0;
  for (int a = first; a < argc; ++a) {
    if (std::strcmp(argv[a], "--threads") == 0 && a + 1 < argc) {
      threads = std::max(1, std::atoi(argv[++a]));
      continue;
    }
    if (std::strcmp(argv[a], "--isa") == 0 && a + 1 < argc) {
      std::string tier = argv[++a];
      device.isa = tier == "portable" ? FOVEA_ISA_PORTABLE
                   : tier == "avx2"   ? FOVEA_ISA_AVX2
                   : tier == "avx512" ? FOVEA_ISA_AVX512
                                      : 0;
      if ((device.isa_available >> device.isa & 1) == 0) die("no tier " + tier + " here");
      continue;
    }
    File file{std::fopen(argv[a], "rb")};
    if (file.stream == nullptr) die(std::string("cannot open ") + argv[a]);
    while (!file.at_end()) {
      Case c;
      c.read(file);
      std::string wrong = run(library, device, c, threads);
      if (wrong.empty()) {
        ++passed;
      } else {
        ++failed;
        std::printf("%s: %s\n  %s\n", argv[a], wrong.c_str(), c.description.c_str());
      }
    }
    std::fclose(file.stream);
  }
  std::printf("%ld passed, %ld failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
