// A case that dev.fovea.testkit.CaseFile wrote: its Javadoc defines the format.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fovea.h"

namespace fovea::replay {

[[noreturn]] inline void die(const std::string& why) {
  std::fprintf(stderr, "replay: %s\n", why.c_str());
  std::exit(2);
}

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
  const char* name = "";
  bool present = false;
  int64_t offset = 0;
  Bytes bytes;

  void read(File& file, bool /*of_backward*/) {
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
  Bytes before;  // what a run adds to; empty if it replaces what is there

  size_t width() const { return dtype == FOVEA_FLOAT32 ? 4 : 2; }

  void read(File& file, bool of_backward) {
    present = file.get<int32_t>() != 0;
    if (!present) return;
    dtype = file.get<int32_t>();
    canary = file.get<uint32_t>();
    offset = file.get<int64_t>();
    elements = file.get<int64_t>();
    bytes.allocate(elements * static_cast<int64_t>(width()));
    if (of_backward && file.get<int32_t>() != 0) {
      before.allocate(bytes.size);
      file.read(before.data.get(), static_cast<size_t>(before.size));
    }
    state.resize(static_cast<size_t>(elements));
    file.read(state.data(), state.size());
    size_t compared = 0;
    for (uint8_t s : state) compared += s == kCompare;
    expected.resize(2 * compared);
    file.read(expected.data(), expected.size() * sizeof(double));
    allowed_rmse = file.get<double>();
    for (int64_t i = 0; i < elements; ++i) {
      std::memcpy(bytes.data.get() + i * static_cast<int64_t>(width()), &canary, width());
    }
    reset();
  }

  // Before each run: what was added must not be added twice.
  void reset() {
    if (before.size > 0) {
      std::memcpy(bytes.data.get(), before.data.get(), static_cast<size_t>(before.size));
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
  std::string check() const {
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
        case kUntouched:
          right = bits == canary;
          break;
        case kFree:
          break;
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

// In the order of the arguments of a run.
const std::vector<const char*> kForwardInputs = {
    "query", "key",          "value",        "bias",          "alibi_slopes",
    "sinks", "cu_seqlens_q", "cu_seqlens_k", "query_lengths", "key_lengths"};
const std::vector<const char*> kForwardOutputs = {"out", "lse", "weights"};
const std::vector<const char*> kBackwardInputs = {
    "dout",         "query", "key",          "value",        "out",           "lse",        "bias",
    "alibi_slopes", "sinks", "cu_seqlens_q", "cu_seqlens_k", "query_lengths", "key_lengths"};
const std::vector<const char*> kBackwardOutputs = {"dquery", "dkey",          "dvalue",
                                                   "dbias",  "dalibi_slopes", "dsinks"};

struct Case {
  std::string description;
  bool backward = false;
  Bytes spec, gradients;
  uint64_t seed = 0;
  uint32_t dropout_offset = 0;
  std::vector<Operand> in;
  std::vector<Output> out;

  void read(File& file) {
    char magic[8];
    file.read(magic, sizeof magic);
    backward = std::memcmp(magic, "FOVBACK1", sizeof magic) == 0;
    if (!backward && std::memcmp(magic, "FOVCASE1", sizeof magic) != 0) die("not a case file");
    description.resize(static_cast<size_t>(file.get<int32_t>()));
    file.read(description.data(), description.size());
    read_block(file, spec);
    if (backward) read_block(file, gradients);
    seed = file.get<uint64_t>();
    dropout_offset = file.get<uint32_t>();
    read_all(file, in, backward ? kBackwardInputs : kForwardInputs);
    read_all(file, out, backward ? kBackwardOutputs : kForwardOutputs);
  }

 private:
  static void read_block(File& file, Bytes& block) {
    block.allocate(file.get<int32_t>());
    file.read(block.data.get(), static_cast<size_t>(block.size));
  }

  template <typename T>
  void read_all(File& file, std::vector<T>& operands, const std::vector<const char*>& names) const {
    operands.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      operands[i].name = names[i];
      operands[i].read(file, backward);
    }
  }
};

}  // namespace fovea::replay
