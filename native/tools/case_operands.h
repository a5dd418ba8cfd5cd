// Whether the buffers of a case hold all that a plan has its operands reach.
#pragma once

#include <string>

#include "case_file.h"

namespace fovea::replay {

// How a buffer is too small; empty if it is not.
inline std::string check_operand(const Input& operand, const Shape& shape) {
  if (!operand.present) return "";
  const Reach reach = reach_of(shape);
  if (operand.offset % shape.element_bytes != 0) {
    return std::string(operand.name) + " begins at byte " + std::to_string(operand.offset) +
           ", which no element does";
  }
  if (reach.low != reach.high &&
      (operand.offset + reach.low * shape.element_bytes < 0 ||
       operand.offset + reach.high * shape.element_bytes > operand.bytes.size)) {
    return std::string(operand.name) + " reaches beyond its " +
           std::to_string(operand.bytes.size) + " bytes";
  }
  return "";
}

// How the first operand that is wrong is so; empty if none is.
inline std::string check_operands(const fovea_plan& plan, const Case& c) {
  size_t in = 0, out = 0;
  for (const Operand& it : c.operation->operands[c.pass]) {
    const Shape shape = shape_of(*c.operation, plan.spec, it);
    if (it.written) {
      const Output& output = c.out[out++];
      // Keys are as wide as float32, and are compared by what runs the case.
      const int32_t dtype = it.type == Type::kInt32 ? FOVEA_FLOAT32 : dtype_of(plan.spec, it);
      if (output.present && output.dtype != dtype) {
        return std::string(it.name) + " is of dtype " + std::to_string(output.dtype) +
               ", and the plan writes " + std::to_string(dtype);
      }
      if (std::string wrong = check_operand(output, shape); !wrong.empty()) return wrong;
    } else if (std::string wrong = check_operand(c.in[in++], shape); !wrong.empty()) {
      return wrong;
    }
  }
  return "";
}

}  // namespace fovea::replay
