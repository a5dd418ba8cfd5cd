// Where each sequence of a batch lies: the lengths that a run brings, checked.
#pragma once

#include <cstdint>

#include "fovea.h"

namespace fovea::cpu {

// One sequence of the batch: where its rows start and how many there are.
struct Sequence {
  int64_t query_start, query_length;
  int64_t key_start, key_length;
  int64_t key_rows;  // those behind its length included
};

// The length of a sequence that is padded to the longest, by that of `lengths`, which may be null for all of
// it; `name` is how these are called.
int32_t find_length(const char* name, const int32_t* lengths, int64_t batch, int64_t longest,
                    int64_t& length, fovea_call& call);

// Cumulative lengths, called `name`, go from 0 to the total.
int32_t check_ends(const char* name, const int32_t* cu, int64_t batch, int64_t total, fovea_call& call);

// Where a packed sequence lies by them.
int32_t locate_packed(const char* name, const int32_t* cu, int64_t batch, int64_t longest, int64_t total,
                      int64_t& start, int64_t& length, fovea_call& call);

// What a spec and a run say of the sequences, of any operation with queries and keys.
struct Sequences {
  bool packed, keys_packed;
  int64_t batch, query_length, key_length, query_total, key_total;
  const int32_t *cu_seqlens_q, *cu_seqlens_k, *query_lengths, *key_lengths;

  template <typename Spec, typename Inputs>
  Sequences(const Spec& spec, const Inputs& inputs)
      : packed(spec.packed != 0),
        keys_packed(packed && !in_pages(spec)),
        batch(spec.batch),
        query_length(spec.query_length),
        key_length(spec.key_length),
        query_total(spec.query_total),
        key_total(spec.key_total),
        cu_seqlens_q(inputs.cu_seqlens_q),
        cu_seqlens_k(inputs.cu_seqlens_k),
        query_lengths(inputs.query_lengths),
        key_lengths(inputs.key_lengths) {}

  // Keys in pages lie apart, whatever the queries do.
  template <typename Spec>
  static bool in_pages(const Spec& spec) {
    if constexpr (requires { spec.has_block_table; }) return spec.has_block_table != 0;
    return false;
  }

  // Cumulative lengths go from 0 to their totals; and those of a part of the sequences rise, as large a
  // part as the call's items are of their phase. All calls of a phase have then checked all sequences,
  // though items are found by these lengths, and some might have been passed over.
  int32_t check_offsets(const fovea_plan& plan, fovea_call& call) const;

  // Cumulative lengths rise, plain lengths lie within the longest.
  int32_t locate(int64_t number, Sequence& sequence, fovea_call& call) const;
};

}  // namespace fovea::cpu
