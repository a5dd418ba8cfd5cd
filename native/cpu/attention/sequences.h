// Where each sequence of a batch lies: the lengths that a run brings, checked.
#pragma once

#include "ops/attention/attention.h"

namespace fovea::attention::cpu {

// One sequence of the batch: where its rows start and how many there are.
struct Sequence {
  int64_t query_start, query_length;
  int64_t key_start, key_length;
  int64_t key_rows;  // those behind its length included
};

// Cumulative lengths go from 0 to their totals; and those of a part of the sequences rise, as large a
// part as the call's items are of their phase. All calls of a phase have then checked all sequences,
// though items are found by these lengths, and some might have been passed over.
int32_t check_offsets(const fovea_plan& plan, const Inputs& inputs,
                      fovea_call& call);

// Cumulative lengths rise, plain lengths lie within the longest.
int32_t locate(const Spec& spec, const Inputs& inputs, int64_t batch,
               Sequence& sequence, fovea_call& call);

}  // namespace fovea::attention::cpu
