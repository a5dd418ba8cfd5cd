// The two passes of attention on the CPU.
#pragma once

#include "core/backend.h"
#include "core/block.h"
#include "ops/attention/attention.h"
#include "ops/attention/modifier_program.h"

namespace fovea::attention::cpu {

// Pick tiles and memory; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// Run one or more items of a phase.
int32_t run_forward(const backend::Run& run, fovea_call& call);
int32_t run_backward(const backend::Run& run, fovea_call& call);

// A program is an operand: what it may do is known only now.
template <typename Operands>
int32_t check_program(const Spec& spec, const Operands& operands, fovea_call& call) {
  if (!spec.has_modifier_program) return FOVEA_OK;
  const char* const wrong = ModifierProgram{operands.modifier_program}.check(
      spec.modifier_words, spec.has_modifier_table != 0);
  if (wrong == nullptr) return FOVEA_OK;
  return fail(call.error, FOVEA_INVALID_ARGUMENT, "modifier_program %s", wrong);
}

}  // namespace fovea::attention::cpu
