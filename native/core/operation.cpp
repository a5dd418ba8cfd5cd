#include "core/operation.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/block.h"
#include "core/strides.h"

namespace fovea {
namespace {

int64_t size_of(const Operation& operation, const void* spec, Dim dim) {
  return dim.size < 0 ? 1 : read_wide(spec, operation.sizes[dim.size].offset);
}

bool has_pages(const Operation& operation, const void* spec) {
  const uint16_t present = operation.pages.present;
  return present != 0 && read_word(spec, present) != 0;
}

// Packed sequences lie end to end in the first dimension that has a total.
int find_packed(const Operation& operation, const void* spec, const Operand& operand) {
  const bool pages = has_pages(operation, spec);
  if (pages && operand.paged) return -1;
  if (operation.packed == 0 || read_word(spec, operation.packed) == 0) return -1;
  for (int i = 0; i < operand.rank; ++i) {
    const int8_t size = operand.dims[i].size;
    if (pages && size == operation.pages.of) continue;
    if (size >= 0 && operation.sizes[size].total != 0) return i;
  }
  return -1;
}

int32_t element_bytes(const void* spec, const Operand& operand) {
  if (operand.type == Type::kBool) return 1;
  const int32_t dtype = dtype_of(spec, operand);
  return dtype == 0 ? 4 : fovea::element_bytes(dtype);
}

bool is_known(int32_t dtype) { return dtype >= FOVEA_FLOAT32 && dtype <= FOVEA_BFLOAT16; }

bool is_of_cache(int32_t dtype) { return dtype >= FOVEA_FLOAT32 && dtype <= FOVEA_FLOAT8_E4M3; }

int32_t check_word(const Field& field, int32_t value, char (&error)[FOVEA_ERROR_LENGTH]) {
  if (field.kind == Kind::kFlag && (value < 0 || value > field.most)) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %d, expected 0 %s %d", field.name, value,
                field.most == 1 ? "or" : "to", field.most);
  }
  if (field.kind == Kind::kCacheType && value != 0 && !is_of_cache(value)) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %d, expected 0 to %d", field.name, value,
                FOVEA_FLOAT8_E4M3);
  }
  const bool narrow = field.kind == Kind::kQueryType;
  if (!(narrow || field.kind == Kind::kType) || is_known(value)) return FOVEA_OK;
  if (narrow && value == FOVEA_FLOAT8_E4M3) return FOVEA_OK;
  const bool optional = field.offset != offsetof(SpecHead, dtype);
  if (optional && value == 0) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              optional ? "%s is %d, expected 0 to 3"
              : narrow ? "%s is %d, expected float32 (1), float16 (2), bfloat16 (3) or float8_e4m3 (6)"
                       : "%s is %d, expected float32 (1), float16 (2) or bfloat16 (3)",
              field.name, value);
}

int32_t check_integers(const Operation& operation, const void* spec,
                       char (&error)[FOVEA_ERROR_LENGTH]) {
  for (const Field& field : operation.fields) {
    if (int32_t status = check_word(field, read_word(spec, field.offset), error)) return status;
  }
  const auto within = [&](const char* name, int64_t value, int64_t low, int64_t high) -> int32_t {
    if (value >= low && value <= high) return FOVEA_OK;
    return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %lld, expected %lld to %lld", name,
                (long long)value, (long long)low, (long long)high);
  };
  const bool packed = operation.packed != 0 && read_word(spec, operation.packed) != 0;
  for (const Size& size : operation.sizes) {
    const int64_t value = read_wide(spec, size.offset);
    if (int32_t status = within(size.name, value, size.low, size.high)) return status;
  }
  const int64_t batch = read_wide(spec, operation.sizes[0].offset);
  for (const Size& size : operation.sizes) {
    if (size.total == 0) continue;
    const int64_t total = read_wide(spec, size.total);
    if (int32_t status = within(size.total_name, total, 0, packed ? kMaxLength : 0)) return status;
    // Rows that no sequence can have would be left as they were.
    const int64_t longest = read_wide(spec, size.offset);
    if (total > batch * longest) {
      return fail(error, FOVEA_INVALID_ARGUMENT,
                  "%s is %lld, but %lld sequences of at most %s = %lld have fewer rows",
                  size.total_name, (long long)total, (long long)batch, size.name,
                  (long long)longest);
    }
  }
  for (const Field& field : operation.fields) {
    if (field.kind != Kind::kBound) continue;
    const int64_t value = read_wide(spec, field.offset);
    if (value < 0) {
      return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %lld, expected 0 or more", field.name,
                  (long long)value);
    }
  }
  return FOVEA_OK;
}

int32_t check_floats(const Operation& operation, const void* spec,
                     char (&error)[FOVEA_ERROR_LENGTH]) {
  for (const Number& number : operation.numbers) {
    const float value = read_float(spec, number.offset);
    const bool optional = number.present != 0;
    if (optional ? read_word(spec, number.present) == 0 : value == 0) continue;
    if (value >= number.low && value <= number.high) continue;
    constexpr float kMost = std::numeric_limits<float>::max();
    if (number.high == kMost && number.low == -kMost) {
      return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %g, expected a finite number", number.name,
                  double(value));
    }
    const char* const apart = optional || number.low <= 0 ? "" : "0 or ";
    if (number.high == kMost) {
      return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %g, expected %sa finite number of %g or more",
                  number.name, double(value), apart, double(number.low));
    }
    return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %g, expected %s%g to %g", number.name,
                double(value), apart, double(number.low), double(number.high));
  }
  return FOVEA_OK;
}

const Operand* find(const Operation& operation, int32_t pass, const char* name) {
  for (const Operand& operand : operation.operands[pass]) {
    if (std::strcmp(operand.name, name) == 0) return &operand;
  }
  return nullptr;
}

// The forward pass must have had what the backward reads of it and writes the gradients of, and what it
// alone has is not asked for.
int32_t check_backward(const Operation& operation, const void* spec,
                       char (&error)[FOVEA_ERROR_LENGTH]) {
  for (const Operand& operand : operation.operands[FOVEA_FORWARD]) {
    if (!operand.written) continue;
    const bool there = is_present(spec, operand);
    if (find(operation, FOVEA_BACKWARD, operand.name) == nullptr) {
      if (!there || operand.present == 0) continue;
      return fail(error, FOVEA_INVALID_ARGUMENT,
                  "has_%s is 1, expected 0: %s has no part in a backward pass", operand.name,
                  operand.name);
    }
    if (there) continue;
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "there is no %s, but the backward pass needs the forward's %s", operand.name,
                operand.name);
  }
  for (const Operand& operand : operation.operands[FOVEA_BACKWARD]) {
    if (!operand.written || !is_present(spec, operand)) continue;
    const Operand* of = find(operation, FOVEA_FORWARD, operand.name + 1);  // behind its d
    if (is_present(spec, *of)) continue;
    return fail(error, FOVEA_INVALID_ARGUMENT, "%s is wanted, but the forward had no %s",
                operand.name, of->name);
  }
  return FOVEA_OK;
}

}  // namespace

bool Shape::is_empty() const { return std::count(size, size + rank, 0) > 0; }

bool is_present(const void* spec, const Operand& operand) {
  if (operand.absent != 0 && read_word(spec, operand.absent) != 0) return false;
  return operand.present == 0 || read_word(spec, operand.present) != 0;
}

int32_t dtype_of(const void* spec, const Operand& operand) {
  const int32_t first = read_word(spec, offsetof(SpecHead, dtype));
  const auto chosen = [&](size_t offset) {
    const int32_t dtype = read_word(spec, offset);
    return dtype != 0 ? dtype : first;
  };
  switch (operand.type) {
    case Type::kSpec:
    case Type::kQuery:
      return first;
    case Type::kOut:
      return chosen(offsetof(SpecHead, out_dtype));
    case Type::kGradient:
      return chosen(offsetof(SpecHead, gradient_dtype));
    case Type::kCache:
      return chosen(operand.typed);
    case Type::kOwn:
      return read_word(spec, operand.typed);
    case Type::kFloat32:
      return FOVEA_FLOAT32;
    default:
      return 0;
  }
}

Shape shape_of(const Operation& operation, const void* spec, const Operand& operand) {
  Shape shape = {};
  shape.rank = operand.rank;
  shape.element_bytes = element_bytes(spec, operand);
  const int packed = find_packed(operation, spec, operand);
  const bool paged = operand.paged && has_pages(operation, spec);
  for (int i = 0; i < operand.rank; ++i) {
    Dim dim = operand.dims[i];
    if (paged && i < 2) dim.size = i == 0 ? operation.pages.count : operation.pages.rows;
    int64_t size = size_of(operation, spec, dim);
    if (operand.type == Type::kCache && i + 1 == operand.rank) {
      const int values = element_values(dtype_of(spec, operand));
      size = (size + values - 1) / values;
    }
    if (operand.type == Type::kOffsets && size > 0) ++size;
    if (packed >= 0 && dim.size == 0) size = 1;
    if (packed == i) size = read_wide(spec, operation.sizes[dim.size].total);
    const bool strided = operand.strides != 0 && i + 1 < operand.rank;
    shape.stride[i] = strided ? read_wide(spec, operand.strides + sizeof(int64_t) * i) : 1;
    if (operand.written && dim.sums && shape.stride[i] == 0) size = 1;
    shape.size[i] = size;
  }
  return shape;
}

void clear_packed_strides(const Operation& operation, void* spec) {
  for (const Operand& operand : operation.operands[read_word(spec, offsetof(SpecHead, pass))]) {
    if (operand.strides == 0 || find_packed(operation, spec, operand) < 0) continue;
    for (int i = 0; i + 1 < operand.rank; ++i) {
      if (operand.dims[i].size != 0) continue;
      const int64_t none = 0;
      std::memcpy(static_cast<char*>(spec) + operand.strides + sizeof none * i, &none, sizeof none);
    }
  }
}

void set_default_types(void* spec) {
  SpecHead head;
  std::memcpy(&head, spec, sizeof head);
  if (head.out_dtype == 0) head.out_dtype = head.dtype;
  if (head.gradient_dtype == 0) head.gradient_dtype = head.dtype;
  std::memcpy(spec, &head, sizeof head);
}

Reach reach_of(const Shape& shape) {
  if (shape.is_empty()) return {0, 0};
  Reach reach = {0, 1};
  for (int i = 0; i < shape.rank; ++i) {
    const __int128 step = __int128{shape.size[i] - 1} * shape.stride[i];
    (step < 0 ? reach.low : reach.high) += step;
  }
  return reach;
}

int32_t check_spec(const Operation& operation, const void* spec,
                   char (&error)[FOVEA_ERROR_LENGTH]) {
  if (int32_t status = check_integers(operation, spec, error)) return status;
  if (int32_t status = check_floats(operation, spec, error)) return status;
  const int32_t pass = read_word(spec, offsetof(SpecHead, pass));
  if (operation.operands[pass].size() == 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "pass is %d, expected %d: %s has no backward pass", pass,
                FOVEA_FORWARD, operation.name);
  }
  if (pass == FOVEA_BACKWARD) {
    if (int32_t status = check_backward(operation, spec, error)) return status;
  }
  for (const Operand& operand : operation.operands[pass]) {
    if (operand.strides == 0 || !is_present(spec, operand)) continue;
    const Shape shape = shape_of(operation, spec, operand);
    if (int32_t status = check_strides(operand.name, shape, operand.written, error)) return status;
  }
  return FOVEA_OK;
}

}  // namespace fovea
