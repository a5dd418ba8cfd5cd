// What operations over pairs of queries and keys have alike in their specs: sequences, heads, masks and
// dropout. For any spec with these fields.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/block.h"
#include "ops/dropout.h"

namespace fovea {

using Error = char[FOVEA_ERROR_LENGTH];

template <typename Spec>
int32_t check_heads(const Spec& spec, Error& error) {
  if (spec.packed && spec.has_query_lengths) {
    return fail(error, FOVEA_UNSUPPORTED,
                "packed query sequences take their lengths from cu_seqlens_q, not from "
                "query_lengths");
  }
  if (spec.query_heads % spec.key_heads != 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "query_heads is %lld, expected a multiple of key_heads, %lld",
                (long long)spec.query_heads, (long long)spec.key_heads);
  }
  // Dropout counts (batch, head) pairs in 32 bits, and items are counted in 64.
  if (__int128{spec.batch} * spec.query_heads > UINT32_MAX ||
      __int128{spec.batch} * spec.query_heads * spec.query_length > (__int128{1} << 60)) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "batch %lld times query_heads %lld times query_length %lld is too large",
                (long long)spec.batch, (long long)spec.query_heads, (long long)spec.query_length);
  }
  return FOVEA_OK;
}

struct Given {
  const char* name;
  int32_t given;
};
inline int32_t check_needs(const Given& it, const Given& other, Error& error) {
  if (!it.given || other.given) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT, "%s is given without %s", it.name, other.name);
}
// What is given only together.
inline int32_t check_together(std::initializer_list<Given> all, Error& error) {
  for (const Given& it : all) {
    for (const Given& other : all) {
      if (int32_t status = check_needs(it, other, error)) return status;
    }
  }
  return FOVEA_OK;
}

template <typename Spec>
int32_t check_top_weights(const Spec& spec, Error& error) {
  if (int32_t status = check_together(
          {{"top_weights", spec.has_top_weights}, {"top_keys", spec.has_top_keys}}, error)) {
    return status;
  }
  if (spec.has_top_weights == (spec.top_count > 0)) return FOVEA_OK;
  return spec.has_top_weights
             ? fail(error, FOVEA_INVALID_ARGUMENT, "top_count is 0, expected 1 or more")
             : fail(error, FOVEA_INVALID_ARGUMENT, "top_count is %lld without top_weights",
                    (long long)spec.top_count);
}

// `key_width`: key_length is also the width of an operand, and stays as it is. `query_choice`: query_length is what the
// caller says alone, since a device chooses its kernel by it, and a sequence that decodes is to have the same bits alone
// and beside one whose prompt is being read.
template <typename Spec>
void set_mask_defaults(Spec& spec, bool key_width, bool query_choice = false) {
  if (spec.packed) {
    // No sequence is longer than all.
    if (!query_choice) spec.query_length = std::min(spec.query_length, spec.query_total);
    if (!key_width) spec.key_length = std::min(spec.key_length, spec.key_total);
  }
  // A window wider than any distance is the same window, and cannot overflow a position.
  const int64_t farthest = spec.query_length + spec.key_length;
  spec.window_left = std::min(spec.window_left, farthest);
  spec.window_right = std::min(spec.window_right, farthest);
}

// Pairs that all heads compute at most: exact for sequences of full length.
template <typename Spec>
double visible_pairs(const Spec& spec) {
  const double queries = double(spec.query_length), keys = double(spec.key_length);
  const double heads = double(spec.batch) * double(spec.query_heads);
  double width = keys;
  if (spec.has_window_left && spec.has_window_right) {
    width = std::min(width, double(spec.window_left) + double(spec.window_right) + 1);
  }
  if (!spec.causal) return heads * queries * width;
  if (spec.has_window_left) width = std::min(width, double(spec.window_left) + 1);
  const double triangle = std::min(queries, keys);
  return heads * std::min(queries * width, queries * keys - triangle * (triangle - 1) / 2);
}

}  // namespace fovea
