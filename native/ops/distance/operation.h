// What distance takes and gives. Made by ops/generate from ops/distance.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/distance/operands.h"

namespace fovea::distance {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"packed", Kind::kFlag, offsetof(Spec, packed), 1},
    {"causal", Kind::kFlag, offsetof(Spec, causal), 1},
    {"alignment", Kind::kFlag, offsetof(Spec, alignment), 1},
    {"has_window_left", Kind::kFlag, offsetof(Spec, has_window_left), 1},
    {"has_window_right", Kind::kFlag, offsetof(Spec, has_window_right), 1},
    {"fit", Kind::kFlag, offsetof(Spec, fit), 1},
    {"has_query_lengths", Kind::kFlag, offsetof(Spec, has_query_lengths), 1},
    {"has_key_lengths", Kind::kFlag, offsetof(Spec, has_key_lengths), 1},
    {"has_lse", Kind::kFlag, offsetof(Spec, has_lse), 1},
    {"has_weights", Kind::kFlag, offsetof(Spec, has_weights), 1},
    {"has_top_weights", Kind::kFlag, offsetof(Spec, has_top_weights), 1},
    {"has_top_keys", Kind::kFlag, offsetof(Spec, has_top_keys), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dbandwidth", Kind::kFlag, offsetof(Spec, has_dbandwidth), 1},
    {"dropout", Kind::kOther, offsetof(Spec, dropout), 1},
    {"ridge", Kind::kOther, offsetof(Spec, ridge), 1},
    {"window_left", Kind::kBound, offsetof(Spec, window_left), 1},
    {"window_right", Kind::kBound, offsetof(Spec, window_right), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"query_length", Kind::kOther, offsetof(Spec, query_length), 1},
    {"key_length", Kind::kOther, offsetof(Spec, key_length), 1},
    {"query_heads", Kind::kOther, offsetof(Spec, query_heads), 1},
    {"key_heads", Kind::kOther, offsetof(Spec, key_heads), 1},
    {"head_dim", Kind::kOther, offsetof(Spec, head_dim), 1},
    {"value_head_dim", Kind::kOther, offsetof(Spec, value_head_dim), 1},
    {"top_count", Kind::kOther, offsetof(Spec, top_count), 1},
    {"query_total", Kind::kOther, offsetof(Spec, query_total), 1},
    {"key_total", Kind::kOther, offsetof(Spec, key_total), 1},
    {"query_stride", Kind::kOther, offsetof(Spec, query_stride), 1},
    {"key_stride", Kind::kOther, offsetof(Spec, key_stride), 1},
    {"value_stride", Kind::kOther, offsetof(Spec, value_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"lse_stride", Kind::kOther, offsetof(Spec, lse_stride), 1},
    {"weights_stride", Kind::kOther, offsetof(Spec, weights_stride), 1},
    {"top_weights_stride", Kind::kOther, offsetof(Spec, top_weights_stride), 1},
    {"top_keys_stride", Kind::kOther, offsetof(Spec, top_keys_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dquery_stride", Kind::kOther, offsetof(Spec, dquery_stride), 1},
    {"dkey_stride", Kind::kOther, offsetof(Spec, dkey_stride), 1},
    {"dvalue_stride", Kind::kOther, offsetof(Spec, dvalue_stride), 1},
};
constexpr Number kNumbers[] = {
    {"dropout", offsetof(Spec, dropout), 0, -FLT_MAX, FLT_MAX},
    {"ridge", offsetof(Spec, ridge), 0, 0x1p-32, 0x1p32},
};
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"query_length", offsetof(Spec, query_length), 0, kMaxLength, "query_total", offsetof(Spec,
        query_total)},
    {"key_length", offsetof(Spec, key_length), 0, kMaxLength, "key_total", offsetof(Spec,
        key_total)},
    {"query_heads", offsetof(Spec, query_heads), 1, kMaxLength, nullptr, 0},
    {"key_heads", offsetof(Spec, key_heads), 1, kMaxLength, nullptr, 0},
    {"head_dim", offsetof(Spec, head_dim), 1, 512, nullptr, 0},
    {"value_head_dim", offsetof(Spec, value_head_dim), 1, 512, nullptr, 0},
    {"top_count", offsetof(Spec, top_count), 0, 128, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"query", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, query_stride), false, 4,
        { { 0,false }, { 1,false }, { 3,false }, { 5,false } }},
    {"key", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, key_stride), false, 4, { { 0,false },
        { 2,false }, { 4,false }, { 5,false } }},
    {"value", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, value_stride), false, 4,
        { { 0,false }, { 2,false }, { 4,false }, { 6,false } }},
    {"bandwidth", Type::kFloat32, false, -1, 0, 0, 0, 0, false, 1, { { 3,false } }},
    {"cu_seqlens_q", Type::kOffsets, false, 1, offsetof(Spec, packed), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"cu_seqlens_k", Type::kOffsets, false, 2, offsetof(Spec, packed), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"query_lengths", Type::kInt32, false, 1, offsetof(Spec, has_query_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"key_lengths", Type::kInt32, false, 2, offsetof(Spec, has_key_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 4, { { 0,false },
        { 1,false }, { 3,false }, { 6,false } }},
    {"lse", Type::kFloat32, true, -1, offsetof(Spec, has_lse), 0, 0, offsetof(Spec, lse_stride),
        false, 3, { { 0,false }, { 3,false }, { 1,false } }},
    {"weights", Type::kFloat32, true, -1, offsetof(Spec, has_weights), 0, 0, offsetof(Spec,
        weights_stride), false, 4, { { 0,false }, { 3,false }, { 1,false }, { 2,false } }},
    {"top_weights", Type::kFloat32, true, -1, offsetof(Spec, has_top_weights), 0, 0, offsetof(Spec,
        top_weights_stride), false, 4, { { 0,false }, { 3,false }, { 1,false }, { 7,false } }},
    {"top_keys", Type::kInt32, true, -1, offsetof(Spec, has_top_keys), 0, 0, offsetof(Spec,
        top_keys_stride), false, 4, { { 0,false }, { 3,false }, { 1,false }, { 7,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"query", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, query_stride), false, 4,
        { { 0,false }, { 1,false }, { 3,false }, { 5,false } }},
    {"key", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, key_stride), false, 4, { { 0,false },
        { 2,false }, { 4,false }, { 5,false } }},
    {"value", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, value_stride), false, 4,
        { { 0,false }, { 2,false }, { 4,false }, { 6,false } }},
    {"bandwidth", Type::kFloat32, false, -1, 0, 0, 0, 0, false, 1, { { 3,false } }},
    {"cu_seqlens_q", Type::kOffsets, false, 1, offsetof(Spec, packed), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"cu_seqlens_k", Type::kOffsets, false, 2, offsetof(Spec, packed), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"query_lengths", Type::kInt32, false, 1, offsetof(Spec, has_query_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"key_lengths", Type::kInt32, false, 2, offsetof(Spec, has_key_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 4, { { 0,false },
        { 1,false }, { 3,false }, { 6,false } }},
    {"out", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 4, { { 0,false },
        { 1,false }, { 3,false }, { 6,false } }},
    {"lse", Type::kFloat32, false, -1, offsetof(Spec, has_lse), 0, 0, offsetof(Spec, lse_stride),
        false, 3, { { 0,false }, { 3,false }, { 1,false } }},
    {"dquery", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dquery_stride), false, 4,
        { { 0,false }, { 1,false }, { 3,false }, { 5,false } }},
    {"dkey", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dkey_stride), false, 4,
        { { 0,false }, { 2,false }, { 4,false }, { 5,false } }},
    {"dvalue", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dvalue_stride), false, 4,
        { { 0,false }, { 2,false }, { 4,false }, { 6,false } }},
    {"dbandwidth", Type::kFloat32, true, -1, offsetof(Spec, has_dbandwidth), 0, 0, 0, false, 1,
        { { 3,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "distance", 6, sizeof(Spec), offsetof(Spec, packed), {  }, kFields, kNumbers, kSizes, {kForward,
        kBackward}, resolve,
};

}  // namespace fovea::distance
