#pragma once

#include "core/block.h"
#include "ops/attention/attention.h"
#include "ops/attention/modifier_program.h"

namespace fovea::attention {

// A program is an operand: what it may do is known only when it runs.
template <typename Operands>
int32_t check_program(const Spec& spec, const Operands& operands, fovea_call& call) {
  if (!spec.has_modifier_program) return FOVEA_OK;
  const char* const wrong = ModifierProgram{operands.modifier_program}.check(
      spec.modifier_words, spec.has_modifier_table != 0);
  if (wrong == nullptr) return FOVEA_OK;
  return fail(call.error, FOVEA_INVALID_ARGUMENT, "modifier_program %s", wrong);
}

}  // namespace fovea::attention
