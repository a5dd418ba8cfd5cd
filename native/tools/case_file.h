// A case that dev.fovea.testkit.CaseFile wrote: its Javadoc defines the format. A file that does not keep
// to it ends the program with the reason, before anything is done with what it says.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ops/operations.h"

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

class File {
 public:
  explicit File(std::string name) : name_(std::move(name)), stream_(std::fopen(name_.c_str(), "rb")) {
    if (stream_ == nullptr) die("cannot open " + name_);
    long size = -1;
    if (std::fseek(stream_, 0, SEEK_END) == 0) size = std::ftell(stream_);
    if (size < 0 || std::fseek(stream_, 0, SEEK_SET) != 0) refuse("file has no size");
    left_ = size;
  }
  File(const File&) = delete;
  ~File() { std::fclose(stream_); }

  [[noreturn]] void refuse(const std::string& why) const { die(name_ + ": " + why); }

  bool at_end() const { return left_ == 0; }

  void read(void* to, int64_t bytes) {
    if (bytes > left_) ends();
    if (bytes > 0 && std::fread(to, 1, size_t(bytes), stream_) != size_t(bytes)) ends();
    left_ -= bytes;
  }
  template <typename T>
  T get() {
    T value;
    read(&value, sizeof value);
    return value;
  }
  bool flag(const char* what) {
    const int32_t value = get<int32_t>();
    if (value != 0 && value != 1) {
      refuse(std::string(what) + " is " + std::to_string(value) + ", expected 0 or 1");
    }
    return value == 1;
  }
  // How many things follow, that have at least `bytes` each: what is reserved for them is no more than
  // a few times the file.
  template <typename T>
  int64_t count(const char* what, int64_t bytes = 1) {
    const T value = get<T>();
    if (value < 0) refuse(std::string(what) + " has a size of " + std::to_string(value));
    if (value > left_ / bytes) ends();
    return value;
  }

 private:
  [[noreturn]] void ends() const { refuse("file ends inside a case"); }

  std::string name_;
  std::FILE* stream_;
  int64_t left_ = 0;  // bytes
};

struct Input {
  const char* name = "";
  bool present = false;
  int64_t offset = 0;
  Bytes bytes;

  void read(File& file) {
    present = file.flag(name);
    if (!present) return;
    offset = file.get<int64_t>();
    bytes.allocate(file.count<int64_t>(name));
    file.read(bytes.data.get(), bytes.size);
    check_offset(file);
  }
  void check_offset(const File& file) const {
    if (offset >= 0 && offset <= bytes.size) return;
    file.refuse(std::string(name) + " begins at byte " + std::to_string(offset) + " of " +
                std::to_string(bytes.size));
  }
  template <typename T = void>
  T* address() const {
    return present ? reinterpret_cast<T*>(bytes.data.get() + offset) : nullptr;
  }
};

enum State : uint8_t { kUntouched = 0, kCompare = 1, kFree = 2 };

struct Output : Input {
  int32_t dtype = 0;
  uint32_t canary = 0;
  int64_t elements = 0;
  std::vector<uint8_t> state;
  std::vector<double> expected;  // (value, allowed error) of each element of state kCompare
  double allowed_rmse = 0;
  Bytes before;  // what a run adds to; empty if it replaces what is there

  size_t width() const { return size_t(element_bytes(dtype)); }

  void read(File& file) {
    present = file.flag(name);
    if (!present) return;
    dtype = file.get<int32_t>();
    if (dtype < FOVEA_FLOAT32 || dtype > FOVEA_FLOAT8_E4M3) {
      file.refuse(std::string(name) + " is of dtype " + std::to_string(dtype) +
                  ", expected 1 to 6");
    }
    canary = file.get<uint32_t>();
    offset = file.get<int64_t>();
    elements = file.count<int64_t>(name);
    bytes.allocate(elements * static_cast<int64_t>(width()));
    check_offset(file);
    if (file.flag("what is before")) {
      before.allocate(bytes.size);
      file.read(before.data.get(), before.size);
    }
    state.resize(static_cast<size_t>(elements));
    file.read(state.data(), elements);
    int64_t compared = 0;
    for (uint8_t s : state) {
      if (s > kFree) {
        file.refuse(std::string(name) + " has an element of state " + std::to_string(s) +
                    ", expected 0 to 2");
      }
      compared += s == kCompare;
    }
    expected.resize(static_cast<size_t>(2 * compared));
    file.read(expected.data(), 2 * compared * int64_t{sizeof(double)});
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
    if (element_bytes(dtype) == 1) return bits;
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

struct Case {
  std::string description;
  const Operation* operation = nullptr;
  int32_t pass = FOVEA_FORWARD;
  Bytes spec;
  uint64_t seed = 0;
  uint32_t dropout_offset = 0;
  std::vector<Input> in;    // operands of the pass that it reads, in their order
  std::vector<Output> out;   // that it writes

  void read(File& file) {
    char magic[8];
    file.read(magic, sizeof magic);
    if (std::memcmp(magic, "FOVCASE2", sizeof magic) != 0) file.refuse("not a case file");
    const auto id = file.get<int32_t>();
    operation = find_operation(id);
    if (operation == nullptr) file.refuse("there is no operation " + std::to_string(id));
    description.resize(static_cast<size_t>(file.count<int32_t>("description")));
    file.read(description.data(), int64_t(description.size()));
    read_spec(file);
    seed = file.get<uint64_t>();
    dropout_offset = file.get<uint32_t>();
    for (const Operand& operand : operation->operands[pass]) {
      if (operand.written) {
        out.emplace_back().name = operand.name;
        out.back().read(file);
      } else {
        in.emplace_back().name = operand.name;
        in.back().read(file);
      }
    }
  }

 private:
  // The library believes the size that a block begins with.
  void read_spec(File& file) {
    spec.allocate(file.count<int32_t>("spec"));
    file.read(spec.data.get(), spec.size);
    uint32_t size = 0;
    if (spec.size >= int64_t{sizeof size}) std::memcpy(&size, spec.data.get(), sizeof size);
    if (size != spec.size || size != operation->spec_bytes) {
      file.refuse("spec has " + std::to_string(spec.size) + " bytes, says that it has " +
                  std::to_string(size) + ", expected " + std::to_string(operation->spec_bytes));
    }
    pass = read_word(spec.data.get(), offsetof(SpecHead, pass));
    if (pass != FOVEA_FORWARD && pass != FOVEA_BACKWARD) {
      file.refuse("pass is " + std::to_string(pass) + ", expected 0 or 1");
    }
  }
};

}  // namespace fovea::replay
