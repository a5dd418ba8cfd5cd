// What attention takes and gives. Made by ops/Generate.java from ops/attention.op.
#pragma once

#include "core/operation.h"
#include "ops/attention/operands.h"

namespace fovea::attention {

using Spec = fovea_attention_spec;

constexpr Field kTypes[] = {
  {"dtype", offsetof(Spec, dtype)},
  {"out_dtype", offsetof(Spec, out_dtype)},
  {"gradient_dtype", offsetof(Spec, gradient_dtype)},
  {"bias_dtype", offsetof(Spec, bias_dtype)},
};
constexpr Field kFlags[] = {
  {"pass", offsetof(Spec, pass)},
  {"packed", offsetof(Spec, packed)},
  {"causal", offsetof(Spec, causal)},
  {"alignment", offsetof(Spec, alignment)},
  {"has_window_left", offsetof(Spec, has_window_left)},
  {"has_window_right", offsetof(Spec, has_window_right)},
  {"has_scale", offsetof(Spec, has_scale)},
  {"allow_tf32", offsetof(Spec, allow_tf32)},
  {"has_alibi_slopes", offsetof(Spec, has_alibi_slopes)},
  {"has_sinks", offsetof(Spec, has_sinks)},
  {"has_query_lengths", offsetof(Spec, has_query_lengths)},
  {"has_key_lengths", offsetof(Spec, has_key_lengths)},
  {"has_lse", offsetof(Spec, has_lse)},
  {"has_weights", offsetof(Spec, has_weights)},
  {"deterministic", offsetof(Spec, deterministic)},
  {"accumulate", offsetof(Spec, accumulate)},
  {"has_dbias", offsetof(Spec, has_dbias)},
  {"has_dalibi_slopes", offsetof(Spec, has_dalibi_slopes)},
  {"has_dsinks", offsetof(Spec, has_dsinks)},
};
constexpr Field kBounds[] = {
  {"window_left", offsetof(Spec, window_left)},
  {"window_right", offsetof(Spec, window_right)},
};
constexpr Field kNumbers[] = {
  {"scale", offsetof(Spec, scale)},
  {"softcap", offsetof(Spec, softcap)},
  {"dropout", offsetof(Spec, dropout)},
};
constexpr Size kSizes[] = {
  {{"batch", offsetof(Spec, batch)}, 0, kMaxLength, {}},
  {{"query_length", offsetof(Spec, query_length)}, 0, kMaxLength, {"query_total", offsetof(Spec, query_total)}},
  {{"key_length", offsetof(Spec, key_length)}, 0, kMaxLength, {"key_total", offsetof(Spec, key_total)}},
  {{"query_heads", offsetof(Spec, query_heads)}, 1, kMaxLength, {}},
  {{"key_heads", offsetof(Spec, key_heads)}, 1, kMaxLength, {}},
  {{"head_dim", offsetof(Spec, head_dim)}, 1, 512, {}},
  {{"value_head_dim", offsetof(Spec, value_head_dim)}, 1, 512, {}},
};
constexpr Operand kForward[] = {
  {"query", Type::kSpec, Role::kTensor, false, -1, 0, offsetof(Spec, query_stride), 4, {{0, false}, {1, false}, {3, false}, {5, false}}},
  {"key", Type::kSpec, Role::kTensor, false, -1, 0, offsetof(Spec, key_stride), 4, {{0, false}, {2, false}, {4, false}, {5, false}}},
  {"value", Type::kSpec, Role::kTensor, false, -1, 0, offsetof(Spec, value_stride), 4, {{0, false}, {2, false}, {4, false}, {6, false}}},
  {"bias", Type::kOwn, Role::kTensor, false, -1, offsetof(Spec, bias_dtype), offsetof(Spec, bias_stride), 4, {{0, true}, {3, true}, {1, true}, {2, false}}},
  {"alibi_slopes", Type::kFloat32, Role::kTensor, false, -1, offsetof(Spec, has_alibi_slopes), offsetof(Spec, alibi_slopes_stride), 3, {{0, true}, {3, true}, {-1, false}}},
  {"sinks", Type::kFloat32, Role::kTensor, false, -1, offsetof(Spec, has_sinks), 0, 1, {{3, false}}},
  {"cu_seqlens_q", Type::kInt32, Role::kOffsets, false, 1, offsetof(Spec, packed), 0, 1, {{0, false}}},
  {"cu_seqlens_k", Type::kInt32, Role::kOffsets, false, 2, offsetof(Spec, packed), 0, 1, {{0, false}}},
  {"query_lengths", Type::kInt32, Role::kLengths, false, 1, offsetof(Spec, has_query_lengths), 0, 1, {{0, false}}},
  {"key_lengths", Type::kInt32, Role::kLengths, false, 2, offsetof(Spec, has_key_lengths), 0, 1, {{0, false}}},
  {"out", Type::kOut, Role::kTensor, true, -1, 0, offsetof(Spec, out_stride), 4, {{0, false}, {1, false}, {3, false}, {6, false}}},
  {"lse", Type::kFloat32, Role::kTensor, true, -1, offsetof(Spec, has_lse), offsetof(Spec, lse_stride), 3, {{0, false}, {3, false}, {1, false}}},
  {"weights", Type::kFloat32, Role::kTensor, true, -1, offsetof(Spec, has_weights), offsetof(Spec, weights_stride), 4, {{0, false}, {3, false}, {1, false}, {2, false}}},
};
constexpr Operand kBackward[] = {
  {"query", Type::kSpec, Role::kTensor, false, -1, 0, offsetof(Spec, query_stride), 4, {{0, false}, {1, false}, {3, false}, {5, false}}},
  {"key", Type::kSpec, Role::kTensor, false, -1, 0, offsetof(Spec, key_stride), 4, {{0, false}, {2, false}, {4, false}, {5, false}}},
  {"value", Type::kSpec, Role::kTensor, false, -1, 0, offsetof(Spec, value_stride), 4, {{0, false}, {2, false}, {4, false}, {6, false}}},
  {"bias", Type::kOwn, Role::kTensor, false, -1, offsetof(Spec, bias_dtype), offsetof(Spec, bias_stride), 4, {{0, true}, {3, true}, {1, true}, {2, false}}},
  {"alibi_slopes", Type::kFloat32, Role::kTensor, false, -1, offsetof(Spec, has_alibi_slopes), offsetof(Spec, alibi_slopes_stride), 3, {{0, true}, {3, true}, {-1, false}}},
  {"sinks", Type::kFloat32, Role::kTensor, false, -1, offsetof(Spec, has_sinks), 0, 1, {{3, false}}},
  {"cu_seqlens_q", Type::kInt32, Role::kOffsets, false, 1, offsetof(Spec, packed), 0, 1, {{0, false}}},
  {"cu_seqlens_k", Type::kInt32, Role::kOffsets, false, 2, offsetof(Spec, packed), 0, 1, {{0, false}}},
  {"query_lengths", Type::kInt32, Role::kLengths, false, 1, offsetof(Spec, has_query_lengths), 0, 1, {{0, false}}},
  {"key_lengths", Type::kInt32, Role::kLengths, false, 2, offsetof(Spec, has_key_lengths), 0, 1, {{0, false}}},
  {"dout", Type::kOut, Role::kTensor, false, -1, 0, offsetof(Spec, dout_stride), 4, {{0, false}, {1, false}, {3, false}, {6, false}}},
  {"out", Type::kOut, Role::kTensor, false, -1, 0, offsetof(Spec, out_stride), 4, {{0, false}, {1, false}, {3, false}, {6, false}}},
  {"lse", Type::kFloat32, Role::kTensor, false, -1, offsetof(Spec, has_lse), offsetof(Spec, lse_stride), 3, {{0, false}, {3, false}, {1, false}}},
  {"dquery", Type::kGradient, Role::kTensor, true, -1, 0, offsetof(Spec, dquery_stride), 4, {{0, false}, {1, false}, {3, false}, {5, false}}},
  {"dkey", Type::kGradient, Role::kTensor, true, -1, 0, offsetof(Spec, dkey_stride), 4, {{0, false}, {2, false}, {4, false}, {5, false}}},
  {"dvalue", Type::kGradient, Role::kTensor, true, -1, 0, offsetof(Spec, dvalue_stride), 4, {{0, false}, {2, false}, {4, false}, {6, false}}},
  {"dbias", Type::kFloat32, Role::kTensor, true, -1, offsetof(Spec, has_dbias), offsetof(Spec, dbias_stride), 4, {{0, true}, {3, true}, {1, true}, {2, false}}},
  {"dalibi_slopes", Type::kFloat32, Role::kTensor, true, -1, offsetof(Spec, has_dalibi_slopes), offsetof(Spec, dalibi_slopes_stride), 3, {{0, true}, {3, true}, {-1, false}}},
  {"dsinks", Type::kFloat32, Role::kTensor, true, -1, offsetof(Spec, has_dsinks), 0, 1, {{3, false}}},
};
int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "attention", 1, sizeof(Spec), offsetof(Spec, pass), offsetof(Spec, packed),
    kTypes, kFlags, kBounds, kNumbers, kSizes, {kForward, kBackward}, resolve,
};

}  // namespace fovea::attention
