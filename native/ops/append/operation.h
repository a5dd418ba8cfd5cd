// What append takes and gives. Made by ops/generate from ops/append.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/append/operands.h"

namespace fovea::append {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"cache_dtype", Kind::kCacheType, offsetof(Spec, cache_dtype), 1},
    {"packed", Kind::kFlag, offsetof(Spec, packed), 1},
    {"interleaved", Kind::kFlag, offsetof(Spec, interleaved), 1},
    {"has_value", Kind::kFlag, offsetof(Spec, has_value), 1},
    {"has_lengths", Kind::kFlag, offsetof(Spec, has_lengths), 1},
    {"has_cosines", Kind::kFlag, offsetof(Spec, has_cosines), 1},
    {"has_sines", Kind::kFlag, offsetof(Spec, has_sines), 1},
    {"has_positions", Kind::kFlag, offsetof(Spec, has_positions), 1},
    {"has_block_table", Kind::kFlag, offsetof(Spec, has_block_table), 1},
    {"has_value_cache", Kind::kFlag, offsetof(Spec, has_value_cache), 1},
    {"has_key_scales", Kind::kFlag, offsetof(Spec, has_key_scales), 1},
    {"has_value_scales", Kind::kFlag, offsetof(Spec, has_value_scales), 1},
    {"reserved0", Kind::kOther, offsetof(Spec, reserved0), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"length", Kind::kOther, offsetof(Spec, length), 1},
    {"key_heads", Kind::kOther, offsetof(Spec, key_heads), 1},
    {"head_dim", Kind::kOther, offsetof(Spec, head_dim), 1},
    {"value_head_dim", Kind::kOther, offsetof(Spec, value_head_dim), 1},
    {"cache_length", Kind::kOther, offsetof(Spec, cache_length), 1},
    {"page_count", Kind::kOther, offsetof(Spec, page_count), 1},
    {"page_size", Kind::kOther, offsetof(Spec, page_size), 1},
    {"page_columns", Kind::kOther, offsetof(Spec, page_columns), 1},
    {"pairs", Kind::kOther, offsetof(Spec, pairs), 1},
    {"position_count", Kind::kOther, offsetof(Spec, position_count), 1},
    {"new_total", Kind::kOther, offsetof(Spec, new_total), 1},
    {"key_stride", Kind::kOther, offsetof(Spec, key_stride), 1},
    {"value_stride", Kind::kOther, offsetof(Spec, value_stride), 1},
    {"cosines_stride", Kind::kOther, offsetof(Spec, cosines_stride), 1},
    {"sines_stride", Kind::kOther, offsetof(Spec, sines_stride), 1},
    {"positions_stride", Kind::kOther, offsetof(Spec, positions_stride), 1},
    {"block_table_stride", Kind::kOther, offsetof(Spec, block_table_stride), 1},
    {"key_cache_stride", Kind::kOther, offsetof(Spec, key_cache_stride), 1},
    {"value_cache_stride", Kind::kOther, offsetof(Spec, value_cache_stride), 1},
    {"key_scales_stride", Kind::kOther, offsetof(Spec, key_scales_stride), 1},
    {"value_scales_stride", Kind::kOther, offsetof(Spec, value_scales_stride), 1},
};
constexpr List<Number> kNumbers;
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"length", offsetof(Spec, length), 0, kMaxLength, "new_total", offsetof(Spec, new_total)},
    {"key_heads", offsetof(Spec, key_heads), 1, kMaxLength, nullptr, 0},
    {"head_dim", offsetof(Spec, head_dim), 1, 576, nullptr, 0},
    {"value_head_dim", offsetof(Spec, value_head_dim), 0, 512, nullptr, 0},
    {"cache_length", offsetof(Spec, cache_length), 0, kMaxLength, nullptr, 0},
    {"page_count", offsetof(Spec, page_count), 0, kMaxLength, nullptr, 0},
    {"page_size", offsetof(Spec, page_size), 0, kMaxLength, nullptr, 0},
    {"page_columns", offsetof(Spec, page_columns), 0, kMaxLength, nullptr, 0},
    {"pairs", offsetof(Spec, pairs), 0, 288, nullptr, 0},
    {"position_count", offsetof(Spec, position_count), 0, kMaxLength, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"key", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, key_stride), false, 4, { { 0,false },
        { 1,false }, { 2,false }, { 3,false } }},
    {"value", Type::kSpec, false, -1, offsetof(Spec, has_value), 0, 0, offsetof(Spec, value_stride),
        false, 4, { { 0,false }, { 1,false }, { 2,false }, { 4,false } }},
    {"starts", Type::kInt32, false, -1, 0, 0, 0, 0, false, 1, { { 0,false } }},
    {"lengths", Type::kInt32, false, 1, offsetof(Spec, has_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"cu_seqlens", Type::kOffsets, false, 1, offsetof(Spec, packed), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"cosines", Type::kFloat32, false, -1, offsetof(Spec, has_cosines), 0, 0, offsetof(Spec,
        cosines_stride), false, 3, { { 0,true }, { 10,false }, { 9,false } }},
    {"sines", Type::kFloat32, false, -1, offsetof(Spec, has_sines), 0, 0, offsetof(Spec,
        sines_stride), false, 3, { { 0,true }, { 10,false }, { 9,false } }},
    {"positions", Type::kInt32, false, -1, offsetof(Spec, has_positions), 0, 0, offsetof(Spec,
        positions_stride), false, 2, { { 0,true }, { 1,false } }},
    {"block_table", Type::kInt32, false, -1, offsetof(Spec, has_block_table), 0, 0, offsetof(Spec,
        block_table_stride), false, 2, { { 0,false }, { 8,false } }},
    {"key_cache", Type::kCache, true, -1, 0, 0, offsetof(Spec, cache_dtype), offsetof(Spec,
        key_cache_stride), true, 4, { { 0,false }, { 5,false }, { 2,false }, { 3,false } }},
    {"value_cache", Type::kCache, true, -1, offsetof(Spec, has_value_cache), 0, offsetof(Spec,
        cache_dtype), offsetof(Spec, value_cache_stride), true, 4, { { 0,false }, { 5,false },
        { 2,false }, { 4,false } }},
    {"key_scales", Type::kFloat32, true, -1, offsetof(Spec, has_key_scales), 0, 0, offsetof(Spec,
        key_scales_stride), true, 3, { { 0,false }, { 5,true }, { 2,false } }},
    {"value_scales", Type::kFloat32, true, -1, offsetof(Spec, has_value_scales), 0, 0,
        offsetof(Spec, value_scales_stride), true, 3, { { 0,false }, { 5,true }, { 2,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "append", 16, sizeof(Spec), offsetof(Spec, packed), { offsetof(Spec, has_block_table), 6, 7,
        5 }, kFields, kNumbers, kSizes, {kForward}, resolve,
};

}  // namespace fovea::append
