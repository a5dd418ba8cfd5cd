// What operands of an append go together, and what their sizes must be.

#include <algorithm>

#include "ops/append/append.h"
#include "ops/masking.h"

namespace fovea::append {
namespace {

int32_t check_values(const Spec& spec, Error& error) {
  const Given value = {"value", spec.has_value};
  if (int32_t status = check_together({value, {"value_cache", spec.has_value_cache}}, error)) return status;
  if (int32_t status = check_needs({"value_scales", spec.has_value_scales}, value, error)) return status;
  if (!spec.has_value || spec.value_head_dim > 0) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT, "value_head_dim is 0, expected 1 or more");
}

int32_t check_rotation(const Spec& spec, Error& error) {
  const Given cosines = {"cosines", spec.has_cosines};
  if (int32_t status = check_together({cosines, {"sines", spec.has_sines}}, error)) return status;
  if (int32_t status = check_needs({"positions", spec.has_positions}, cosines, error)) return status;
  if (int32_t status = check_needs({"interleaved", spec.interleaved}, cosines, error)) return status;
  if (!spec.has_cosines) {
    if (spec.pairs == 0) return FOVEA_OK;
    return fail(error, FOVEA_INVALID_ARGUMENT, "pairs is %lld, but there are no cosines",
                (long long)spec.pairs);
  }
  if (spec.pairs > 0 && 2 * spec.pairs <= spec.head_dim) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT, "pairs is %lld, expected 1 to half of head_dim, which is %lld",
              (long long)spec.pairs, (long long)spec.head_dim);
}

int32_t check_types(Spec& spec, Error& error) {
  if (spec.cache_dtype == 0) spec.cache_dtype = spec.dtype;
  for (const Given& it : {Given{"key_scales", spec.has_key_scales}, {"value_scales", spec.has_value_scales}}) {
    if (!it.given || is_quantized(spec.cache_dtype)) continue;
    return fail(error, FOVEA_UNSUPPORTED, "%s do not go with a cache of a floating type", it.name);
  }
  const bool even = spec.head_dim % 2 == 0 && spec.value_head_dim % 2 == 0;
  if (spec.cache_dtype != FOVEA_INT4X2 || even) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "head_dim is %lld and value_head_dim %lld, expected even numbers: elements of the cache hold two "
              "values each",
              (long long)spec.head_dim, (long long)spec.value_head_dim);
}

int32_t check_pages(const Spec& spec, Error& error) {
  if (!spec.has_block_table) return FOVEA_OK;
  if (spec.page_size < 1 || (spec.page_size & (spec.page_size - 1)) != 0) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "page_size is %lld, expected a power of two",
                (long long)spec.page_size);
  }
  if (__int128{spec.page_columns} * spec.page_size >= spec.cache_length) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "cache_length is %lld, but block_table has %lld columns of pages of %lld",
              (long long)spec.cache_length, (long long)spec.page_columns, (long long)spec.page_size);
}

int32_t check_sequences(Spec& spec, Error& error) {
  if (spec.packed && spec.has_lengths) {
    return fail(error, FOVEA_UNSUPPORTED,
                "packed sequences take their lengths from cu_seqlens, not from lengths");
  }
  if (spec.packed) spec.length = std::min(spec.length, spec.new_total);
  // Items are counted in 64 bits.
  if (__int128{spec.batch} * spec.key_heads * spec.length <= (__int128{1} << 60)) return FOVEA_OK;
  return fail(error, FOVEA_INVALID_ARGUMENT, "batch %lld times key_heads %lld times length %lld is too large",
              (long long)spec.batch, (long long)spec.key_heads, (long long)spec.length);
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (int32_t status = check_values(spec, plan.error)) return status;
  if (int32_t status = check_rotation(spec, plan.error)) return status;
  if (int32_t status = check_types(spec, plan.error)) return status;
  if (int32_t status = check_pages(spec, plan.error)) return status;
  if (int32_t status = check_sequences(spec, plan.error)) return status;
  const double rows = spec.packed ? double(spec.new_total) : double(spec.batch) * double(spec.length);
  // A conversion, and of quantized elements a product and a comparison.
  const double columns = double(spec.head_dim + spec.value_head_dim) * (is_quantized(spec.cache_dtype) ? 3 : 1);
  plan.flops = rows * double(spec.key_heads) * (6 * double(spec.pairs) + columns);
  return FOVEA_OK;
}

}  // namespace fovea::append
