// Where each sequence of a batch lies: the lengths that a run brings, checked.
#pragma once

#include "core/attention.h"

namespace fovea {

// Cumulative lengths go from 0 to their totals; and those of a part of the sequences rise, as large a
// part as the call's items are of their phase. All calls of a phase have then checked all sequences,
// though items are found by these lengths, and some might have been passed over.
int32_t check_offsets(const fovea_attention_plan& plan, const AttentionInputs& inputs,
                      fovea_attention_call& call);

// Cumulative lengths rise, plain lengths lie within the longest.
int32_t locate(const fovea_attention_spec& spec, const AttentionInputs& inputs, int64_t batch,
               Sequence& sequence, fovea_attention_call& call);

}  // namespace fovea
