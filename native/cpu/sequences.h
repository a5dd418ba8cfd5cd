// Where each sequence of a batch lies: the lengths that a run brings, checked.
#pragma once

#include "core/attention.h"

namespace fovea {

// Cumulative lengths go from 0 to their totals. Once a run; locate() checks what lies between.
int32_t check_ends(const fovea_attention_spec& spec, const AttentionInputs& inputs,
                   fovea_attention_call& call);

// Cumulative lengths rise, plain lengths lie within the longest.
int32_t locate(const fovea_attention_spec& spec, const AttentionInputs& inputs, int64_t batch,
               Sequence& sequence, fovea_attention_call& call);

}  // namespace fovea
