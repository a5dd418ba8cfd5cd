// What an operation takes and gives, as data: made by ops/generate from its declaration, read by
// checks, the simulator and tools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/dtype.h"

namespace fovea {

constexpr int64_t kMaxLength = std::numeric_limits<int32_t>::max();
constexpr int kMaxRank = 5;
constexpr size_t kMostOperands = 64;  // of a pass: fovea_plan has a bit for each

// What every spec begins with.
struct SpecHead {
  uint32_t size;
  int32_t pass, dtype, out_dtype, gradient_dtype;
};

// What a field of a spec may hold that no table below says: a FOVEA_* floating type, FOVEA_FLOAT8_E4M3 too, any of a
// cache, 0 to `most`, an int64 of 0 or more.
enum class Kind : uint8_t { kType, kQueryType, kCacheType, kFlag, kBound, kOther };

struct Field {
  const char* name;
  Kind kind;
  uint16_t offset;
  int32_t most;
};

// A float: within [low, high] where the field `present` is not 0, or 0 where it has none.
struct Number {
  const char* name;
  uint16_t offset, present;
  float low, high;
};

// A dimension: an int64 within [low, high]. With a total, packed sequences have rows of their own, and it
// says how many there are in all. The first size of an operation is its batch. Offset 0, that of a spec's
// size, stands for none here and below.
struct Size {
  const char* name;
  uint16_t offset;
  int64_t low, high;
  const char* total_name;
  uint16_t total;
};

// Offsets are int32, one more than there are sequences, and present where these are packed.
enum class Type : uint8_t { kSpec, kQuery, kCache, kOut, kGradient, kOwn, kFloat32, kInt32, kBool, kOffsets };

// The index of a size, or -1 for one element. `sums` is whether an input may have one element instead,
// and an output a stride of 0, as the sum over the dimension.
struct Dim {
  int8_t size;
  bool sums;
};

struct Operand {
  const char* name;
  Type type;
  bool written;      // perhaps in place: what it holds before is of its operation
  int8_t counts;     // the size whose rows lengths and offsets count; -1 for a tensor
  uint16_t present;  // offset of the field that is not 0 where it is there; 0 = always
  uint16_t absent;   // of one that is not 0 where it is not there after all; 0 = none
  uint16_t typed;    // of that of its own type, kOwn and kCache
  uint16_t strides;  // offset of those of all dimensions but the last, which is contiguous
  bool paged;        // in pages, where there are any
  uint8_t rank;
  Dim dims[kMaxRank];
};

// Rows of operands that are `paged`, of the size `of`, lie in pages where the field `present` is not 0: their
// first two dimensions are `count` and `rows` then, indices of sizes, and sequences of them are not packed.
struct Pages {
  uint16_t present;  // 0 = never
  int8_t count, rows, of;
};

template <typename T>
struct List {
  const T* first;
  size_t count;

  constexpr List() : first(nullptr), count(0) {}
  template <size_t kCount>
  constexpr List(const T (&all)[kCount]) : first(all), count(kCount) {}
  constexpr const T* begin() const { return first; }
  constexpr const T* end() const { return first + count; }
  constexpr const T& operator[](size_t i) const { return first[i]; }
  constexpr size_t size() const { return count; }
};

struct Operation {
  const char* name;
  int32_t id;
  uint32_t spec_bytes;
  uint16_t packed;  // the flag; 0 = it has no packed sequences
  Pages pages;
  List<Field> fields;
  List<Number> numbers;
  List<Size> sizes;
  List<Operand> operands[2];  // by pass; none of a pass that it does not have
  // Checks what no table says, sets defaults, and counts FLOPs, at most as many.
  int32_t (*resolve)(fovea_plan& plan);
};

// Operands of a pass are a struct of addresses in the order of the table.
using Addresses = const void* const*;

inline int32_t read_word(const void* spec, size_t offset) {
  int32_t value;
  std::memcpy(&value, static_cast<const char*>(spec) + offset, sizeof value);
  return value;
}
inline float read_float(const void* spec, size_t offset) {
  float value;
  std::memcpy(&value, static_cast<const char*>(spec) + offset, sizeof value);
  return value;
}
inline int64_t read_wide(const void* spec, size_t offset) {
  int64_t value;
  std::memcpy(&value, static_cast<const char*>(spec) + offset, sizeof value);
  return value;
}

// Where an operand's elements lie, counted from its address.
struct Shape {
  int32_t rank, element_bytes;
  int64_t size[kMaxRank], stride[kMaxRank];

  bool is_empty() const;
};

bool is_present(const void* spec, const Operand& operand);
int32_t dtype_of(const void* spec, const Operand& operand);  // 0 = no floating type
Shape shape_of(const Operation& operation, const void* spec, const Operand& operand);

// Elements [low, high) that it reaches, none where it is empty.
struct Reach {
  __int128 low, high;
};
Reach reach_of(const Shape& shape);

// Packed sequences are one batch: whatever stride a spec names for it, it is not stepped over.
void clear_packed_strides(const Operation& operation, void* spec);

// Those of out and of gradients that a spec leaves out are its own.
void set_default_types(void* spec);

// Types, flags, sizes, bounds and strides of a spec, whose pass is one. The reason of a refusal goes to
// `error`.
int32_t check_spec(const Operation& operation, const void* spec, char (&error)[FOVEA_ERROR_LENGTH]);

}  // namespace fovea
