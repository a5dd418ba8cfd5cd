// Whether the buffers of a case hold all that a plan has its operands reach.
#pragma once

#include <string>

#include "case_file.h"
#include "operand_reach.h"

namespace fovea::replay {

// How the buffer is too small for `reach`; empty if it is not.
inline std::string check_operand(const Operand& operand, const Reach& reach) {
  if (!operand.present) return "";
  if (operand.offset % reach.width() != 0) {
    return std::string(operand.name) + " begins at byte " + std::to_string(operand.offset) +
           ", which no element does";
  }
  if (reach.low != reach.high &&
      (operand.offset + reach.low * reach.width() < 0 ||
       operand.offset + reach.high * reach.width() > operand.bytes.size)) {
    return std::string(operand.name) + " reaches beyond its " +
           std::to_string(operand.bytes.size) + " bytes";
  }
  return "";
}

// How the first operand that is wrong is so; empty if none is.
inline std::string check_operands(const fovea_attention_plan& plan, const Case& c) {
  const std::vector<Reach> all =
      c.backward ? OperandReach(plan).backward() : OperandReach(plan).forward();
  if (all.size() != c.in.size() + c.out.size()) die("an operand is not checked");
  for (size_t i = 0; i < all.size(); ++i) {
    const Output* const output = i < c.in.size() ? nullptr : &c.out[i - c.in.size()];
    const Operand& operand = output == nullptr ? c.in[i] : *output;
    if (std::strcmp(operand.name, all[i].name) != 0) die("operands are out of order");
    if (output != nullptr && output->present && output->dtype != all[i].dtype) {
      return std::string(output->name) + " is of dtype " + std::to_string(output->dtype) +
             ", and the plan writes " + std::to_string(all[i].dtype);
    }
    if (std::string wrong = check_operand(operand, all[i]); !wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace fovea::replay
