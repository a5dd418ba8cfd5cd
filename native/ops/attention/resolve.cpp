// What a spec of attention may say beside what its declaration does, and what it leaves out.

#include <algorithm>
#include <cmath>

#include "ops/attention/attention.h"
#include "ops/attention/distances.h"
#include "ops/attention/modifier_program.h"
#include "ops/masking.h"

namespace fovea::attention {

namespace {

// What an operand is read with.
int32_t check_number(const char* operand, bool given, const char* name, float number, Error& error) {
  if (given == (number != 0)) return FOVEA_OK;
  return given ? fail(error, FOVEA_INVALID_ARGUMENT, "%s is 0, but %s are given", name, operand)
               : fail(error, FOVEA_INVALID_ARGUMENT, "%s is %g, but no %s are given", name,
                      double(number), operand);
}

int32_t check_relative(const Spec& spec, Error& error) {
  if (int32_t status = check_together({{"relative_table", spec.has_relative_table},
                                       {"relative_buckets", spec.has_relative_buckets}},
                                      error)) {
    return status;
  }
  if (!spec.has_relative_table) return FOVEA_OK;
  if (spec.relative_width % 2 == 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "relative_width is %lld, expected an odd number: distances from -n to n",
                (long long)spec.relative_width);
  }
  if (spec.relative_count > 0) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT, "relative_count is 0, expected 1 or more");
}

int32_t check_modifier(const Spec& spec, Error& error) {
  if (!spec.has_modifier_program) {
    if (spec.has_modifier_key) {
      return fail(error, FOVEA_INVALID_ARGUMENT, "modifier_key is given without modifier_program");
    }
    if (!spec.has_modifier_table) return FOVEA_OK;
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "modifier_table is given without modifier_program");
  }
  if (spec.modifier_words < 1 || spec.modifier_words > ModifierProgram::kMostWords) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "modifier_words is %lld, expected 1 to %lld",
                (long long)spec.modifier_words, (long long)ModifierProgram::kMostWords);
  }
  if (!spec.has_modifier_table || spec.modifier_columns > 0) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT, "modifier_columns is 0, expected 1 or more");
}

int32_t check_blocks(Spec& spec, Error& error) {
  if (int32_t status = check_together({{"block_offsets", spec.has_block_offsets},
                                       {"block_indices", spec.has_block_indices},
                                       {"block_queries", spec.has_block_queries},
                                       {"block_keys", spec.has_block_keys}},
                                      error)) {
    return status;
  }
  if (!spec.has_block_offsets) return FOVEA_OK;
  if (spec.block_queries == 0 || spec.block_keys == 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "%s is 0, expected 1 or more",
                spec.block_queries == 0 ? "block_queries" : "block_keys");
  }
  spec.block_queries = std::min(spec.block_queries, kMaxLength);
  spec.block_keys = std::min(spec.block_keys, kMaxLength);
  const int64_t rows = (spec.query_length + spec.block_queries - 1) / spec.block_queries;
  if (spec.block_rows > rows) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "block_rows is %lld, expected %lld or more: %lld queries have blocks of %lld",
              (long long)spec.block_rows, (long long)rows + 1, (long long)spec.query_length,
              (long long)spec.block_queries);
}

// What the rows and columns of an image leave is within a window, by which tiles are skipped, too.
int32_t set_image_window(Spec& spec, Error& error) {
  if (int32_t status = check_together({{"image_width", spec.has_image_width},
                                       {"window_rows", spec.has_window_rows},
                                       {"window_columns", spec.has_window_columns}},
                                      error)) {
    return status;
  }
  if (!spec.has_image_width) return FOVEA_OK;
  if (spec.image_width == 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "image_width is 0, expected 1 or more");
  }
  if (spec.has_block_offsets) {
    return fail(error, FOVEA_UNSUPPORTED, "a window in images does not go with block_offsets");
  }
  spec.image_width = std::min(spec.image_width, kMaxLength);
  spec.window_rows = std::min(spec.window_rows, kMaxLength);
  spec.window_columns = std::min(spec.window_columns, spec.image_width - 1);
  const int64_t reach = spec.window_rows * spec.image_width + spec.window_columns;
  spec.window_left = spec.has_window_left ? std::min(spec.window_left, reach) : reach;
  spec.window_right = spec.has_window_right ? std::min(spec.window_right, reach) : reach;
  spec.has_window_left = spec.has_window_right = 1;
  return FOVEA_OK;
}

// Every distance that a pair may have has a row: after the windows are known.
int32_t check_positions(Spec& spec, Error& error) {
  const Given keys = {"position_keys", spec.has_position_keys};
  if (int32_t status = check_needs({"position_bias", spec.has_position_bias}, keys, error)) {
    return status;
  }
  if (int32_t status = check_needs({"position_origin", spec.has_position_origin}, keys, error)) {
    return status;
  }
  if (!spec.has_position_origin) spec.position_origin = 0;
  if (!spec.has_position_keys) return FOVEA_OK;
  const Distances needed = distances(spec);
  const int64_t before = spec.position_origin, behind = spec.position_count - 1 - before;
  if (needed.count() == 0 || (before >= -needed.low && behind >= needed.high)) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "position_keys has rows of distances %lld to %lld (position_count is %lld, "
              "position_origin %lld), expected at least %lld to %lld: those of queries and keys",
              -(long long)before, (long long)behind, (long long)spec.position_count,
              (long long)before, (long long)needed.low, (long long)needed.high);
}

// Pairs that are computed, about.
double pairs(const Spec& spec) {
  const double all = visible_pairs(spec);
  if (!spec.has_image_width) return all;
  const double width = double(spec.image_width);
  return all * std::min(width, 2 * double(spec.window_columns) + 1) / width;
}

// Elements of a gated row lie as those of out do, or there is one for all of them.
int32_t check_elements(bool given, const char* name, const int64_t (&stride)[4], Error& error) {
  if (!given || stride[3] == 0 || stride[3] == 1) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "%s_stride[3] is %lld, expected 1, or 0 for one gate of a head", name,
              (long long)stride[3]);
}

int32_t check_gates(const Spec& spec, Error& error) {
  if (spec.has_ungated && spec.output_gates_dtype == 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "ungated is wanted, but there are no output_gates: out is the same");
  }
  if (int32_t status = check_elements(spec.output_gates_dtype != 0, "output_gates",
                                      spec.output_gates_stride, error)) {
    return status;
  }
  return check_elements(spec.has_doutput_gates, "doutput_gates", spec.doutput_gates_stride, error);
}

// Queries of 8 bits.
int32_t check_query_type(const Spec& spec, Error& error) {
  if (spec.dtype != FOVEA_FLOAT8_E4M3) {
    if (!spec.has_query_scales) return FOVEA_OK;
    return fail(error, FOVEA_INVALID_ARGUMENT, "query_scales are given, but dtype is %d, not float8_e4m3 (6)",
                spec.dtype);
  }
  if (spec.pass == FOVEA_BACKWARD) {
    return fail(error, FOVEA_UNSUPPORTED, "queries of float8_e4m3 have no backward pass");
  }
  if (spec.out_dtype == FOVEA_FLOAT8_E4M3) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "out_dtype is 0, expected 1 to 3: out is not of dtype where that is float8_e4m3 (6)");
  }
  for (const Given& it : {Given{"content_bias", spec.has_content_bias}, {"position_keys", spec.has_position_keys}}) {
    if (!it.given) continue;
    return fail(error, FOVEA_UNSUPPORTED, "%s does not go with queries of float8_e4m3", it.name);
  }
  return FOVEA_OK;
}

// What lies in a cache.
int32_t check_cache(Spec& spec, Error& error) {
  if (spec.cache_dtype == 0) spec.cache_dtype = spec.dtype;
  for (const Given& it : {Given{"block_table", spec.has_block_table}, {"key_scales", spec.has_key_scales},
                          {"value_scales", spec.has_value_scales}, {"tree_mask", spec.has_tree_mask},
                          {"cache_dtype", spec.cache_dtype != spec.dtype}}) {
    if (!it.given || spec.pass == FOVEA_FORWARD) continue;
    return fail(error, FOVEA_UNSUPPORTED, "%s has no part in a backward pass", it.name);
  }
  if (spec.cache_dtype == FOVEA_INT4X2 && (spec.head_dim % 2 != 0 || spec.value_head_dim % 2 != 0)) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "head_dim is %lld and value_head_dim %lld, expected even numbers: elements of the cache hold "
                "two values each",
                (long long)spec.head_dim, (long long)spec.value_head_dim);
  }
  if (!spec.has_block_table) return FOVEA_OK;
  if (spec.page_size < 1 || (spec.page_size & (spec.page_size - 1)) != 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "page_size is %lld, expected a power of two",
                (long long)spec.page_size);
  }
  if (__int128{spec.page_columns} * spec.page_size >= spec.key_length) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "key_length is %lld, but block_table has %lld columns of pages of %lld",
              (long long)spec.key_length, (long long)spec.page_columns, (long long)spec.page_size);
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_query_type(spec, plan.error)) return status;
  if (int32_t status = check_cache(spec, plan.error)) return status;
  if (int32_t status = check_dropout(spec, plan.error)) return status;
  if (int32_t status = check_top_weights(spec, plan.error)) return status;
  if (int32_t status = check_number("gaussian_centers", spec.has_gaussian_centers,
                                    "gaussian_sigma", spec.gaussian_sigma, plan.error)) {
    return status;
  }
  if (int32_t status =
          check_number("spans", spec.has_spans, "span_ramp", spec.span_ramp, plan.error)) {
    return status;
  }
  if (int32_t status = check_relative(spec, plan.error)) return status;
  if (int32_t status = check_modifier(spec, plan.error)) return status;
  if (int32_t status = check_blocks(spec, plan.error)) return status;
  if (int32_t status = check_gates(spec, plan.error)) return status;
  if (int32_t status = set_image_window(spec, plan.error)) return status;
  set_mask_defaults(spec, spec.bias_dtype != 0 || spec.has_mask || spec.has_weights || spec.has_block_table,
                    spec.has_block_table);
  if (int32_t status = check_positions(spec, plan.error)) return status;
  if (!spec.has_scale) spec.scale = float(1.0 / std::sqrt(double(spec.head_dim)));
  // Five products in the backward pass where the forward has two; of keys of distances three and one.
  const bool backward = plan.pass == FOVEA_BACKWARD;
  const double columns = double(spec.head_dim + spec.value_head_dim) * (backward ? 2.5 : 1.0);
  const double positions = spec.has_position_keys ? double(spec.head_dim) * (backward ? 3 : 1) : 0;
  plan.flops = 2.0 * (columns + positions) * pairs(spec);
  return FOVEA_OK;
}

}  // namespace fovea::attention
