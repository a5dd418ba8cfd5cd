// What a backward pass may be asked for, checked once for every backend.

#include <iterator>

#include "core/block.h"
#include "core/strides.h"
#include "ops/attention/attention.h"

namespace fovea::attention {
namespace {

int32_t check_options(const fovea_attention_spec& spec, const fovea_attention_gradients& given,
                      char (&error)[FOVEA_ERROR_LENGTH]) {
  if (given.dtype < 0 || given.dtype > FOVEA_BFLOAT16) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "gradients.dtype is %d, expected 0 to 3",
                given.dtype);
  }
  const struct {
    const char* name;
    int32_t value;
    bool allowed;
    const char* gradient;
    const char* of;
  } flags[] = {
      {"deterministic", given.deterministic, true, "", ""},
      {"accumulate", given.accumulate, true, "", ""},
      {"has_dbias", given.has_dbias, spec.bias_dtype != 0, "dbias", "bias"},
      {"has_dalibi", given.has_dalibi, spec.has_alibi != 0, "dalibi_slopes", "alibi_slopes"},
      {"has_dsinks", given.has_dsinks, spec.has_sinks != 0, "dsinks", "sinks"}};
  for (const auto& flag : flags) {
    if (flag.value != 0 && flag.value != 1) {
      return fail(error, FOVEA_INVALID_ARGUMENT, "%s is %d, expected 0 or 1", flag.name,
                  flag.value);
    }
    if (flag.value == 1 && !flag.allowed) {
      return fail(error, FOVEA_INVALID_ARGUMENT, "%s is wanted, but the forward had no %s",
                  flag.gradient, flag.of);
    }
  }
  if (!spec.has_lse) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "there is no lse, but the backward pass needs the forward's lse");
  }
  if (spec.has_weights) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "has_weights is 1, expected 0: weights have no "
                "part in a backward pass");
  }
  return FOVEA_OK;
}

// A dimension whose stride is 0 is summed over: one element of the output.
Dimension kept(int64_t size, int64_t stride) { return {stride == 0 ? 1 : size, stride}; }

int32_t check_gradient_strides(const fovea_attention_spec& spec,
                               const fovea_attention_gradients& given,
                               char (&error)[FOVEA_ERROR_LENGTH]) {
  const int64_t batch = spec.packed ? 1 : spec.batch;
  const int64_t queries = spec.packed ? spec.query_total : spec.query_length;
  const int64_t keys = spec.packed ? spec.key_total : spec.key_length;
  const struct {
    const char* name;
    const int64_t* stride;
    int64_t positions, heads, row;
    bool written;
  } tensors[] = {{"dout", given.dout_stride, queries, spec.query_heads, spec.value_head_dim, false},
                 {"dquery", given.dquery_stride, queries, spec.query_heads, spec.head_dim, true},
                 {"dkey", given.dkey_stride, keys, spec.key_heads, spec.head_dim, true},
                 {"dvalue", given.dvalue_stride, keys, spec.key_heads, spec.value_head_dim, true}};
  for (const auto& tensor : tensors) {
    Dimension d[3] = {{batch, tensor.stride[0]},
                      {tensor.positions, tensor.stride[1]},
                      {tensor.heads, tensor.stride[2]}};
    if (int32_t status = check_strides(tensor.name, d, tensor.row, tensor.written, error)) {
      return status;
    }
  }
  if (given.has_dbias) {
    Dimension d[3] = {kept(batch, given.dbias_stride[0]),
                      kept(spec.query_heads, given.dbias_stride[1]),
                      kept(queries, given.dbias_stride[2])};
    if (int32_t status = check_strides("dbias", d, spec.key_length, true, error)) return status;
  }
  if (given.has_dalibi) {
    Dimension d[2] = {kept(spec.batch, given.dalibi_stride[0]),
                      kept(spec.query_heads, given.dalibi_stride[1])};
    if (int32_t status = check_strides("dalibi_slopes", d, 1, true, error)) return status;
  }
  return FOVEA_OK;
}

}  // namespace

int32_t plan_gradients(const fovea_attention_gradients& given, fovea_attention_plan& plan) {
  const fovea_attention_spec& spec = plan.spec;
  if (int32_t status = check_options(spec, given, plan.error)) return status;
  if (int32_t status = check_gradient_strides(spec, given, plan.error)) return status;
  plan.gradients = given;
  if (plan.gradients.dtype == 0) plan.gradients.dtype = spec.dtype;
  plan.flops *= 2.5;  // five products where the forward has two
  return FOVEA_OK;
}

int32_t check_backward_call(const fovea_attention_plan& plan, const BackwardOperands& operands,
                            fovea_attention_call& call) {
  if (int32_t status = check_items(plan, call)) return status;
  const fovea_attention_spec& spec = plan.spec;
  const fovea_attention_gradients& gradients = plan.gradients;
  const bool queries = spec.batch > 0 && spec.query_length > 0;
  const bool keys = spec.batch > 0 && spec.key_length > 0;
  // Sums over whole heads look at the lengths even where there is neither query nor key.
  if (int32_t status = check_inputs(spec, operands, spec.batch > 0, call)) return status;
  // A sum over nothing is zero, and is written.
  const auto any = [](int64_t size, int64_t stride) { return size > 0 || stride == 0; };
  // Packed sequences share a dbias only where their positions do.
  const int64_t shared = gradients.dbias_stride[spec.packed ? 2 : 0];
  const bool dbias = spec.key_length > 0 && any(spec.batch, shared) &&
                     any(spec.query_length, gradients.dbias_stride[2]);
  const bool dalibi = any(spec.batch, gradients.dalibi_stride[0]);
  const Presence all[] = {
      {"dout", operands.dout, queries, true},
      {"out", operands.out, queries, true},
      {"lse", operands.lse, queries, true},
      {"dquery", operands.dquery, queries, true},
      {"dkey", operands.dkey, keys, true},
      {"dvalue", operands.dvalue, keys, true},
      {"dbias", operands.dbias, gradients.has_dbias && dbias, gradients.has_dbias != 0},
      {"dalibi_slopes", operands.dalibi_slopes, gradients.has_dalibi && dalibi,
       gradients.has_dalibi != 0},
      {"sinks", operands.sinks, gradients.has_dsinks != 0, true},
      {"dsinks", operands.dsinks, gradients.has_dsinks != 0, gradients.has_dsinks != 0},
  };
  return check_presence(all, std::size(all), call);
}

}  // namespace fovea::attention
