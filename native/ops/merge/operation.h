// What merge takes and gives. Made by ops/generate from ops/merge.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/merge/operands.h"

namespace fovea::merge {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"has_sinks", Kind::kFlag, offsetof(Spec, has_sinks), 1},
    {"has_lse", Kind::kFlag, offsetof(Spec, has_lse), 1},
    {"reserved0", Kind::kOther, offsetof(Spec, reserved0), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"parts", Kind::kOther, offsetof(Spec, parts), 1},
    {"query_length", Kind::kOther, offsetof(Spec, query_length), 1},
    {"query_heads", Kind::kOther, offsetof(Spec, query_heads), 1},
    {"value_head_dim", Kind::kOther, offsetof(Spec, value_head_dim), 1},
    {"outs_stride", Kind::kOther, offsetof(Spec, outs_stride), 1},
    {"lses_stride", Kind::kOther, offsetof(Spec, lses_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"lse_stride", Kind::kOther, offsetof(Spec, lse_stride), 1},
};
constexpr List<Number> kNumbers;
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"parts", offsetof(Spec, parts), 1, kMaxLength, nullptr, 0},
    {"query_length", offsetof(Spec, query_length), 0, kMaxLength, nullptr, 0},
    {"query_heads", offsetof(Spec, query_heads), 1, kMaxLength, nullptr, 0},
    {"value_head_dim", offsetof(Spec, value_head_dim), 1, 512, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"outs", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, outs_stride), false, 5, { { 1,false },
        { 0,false }, { 2,false }, { 3,false }, { 4,false } }},
    {"lses", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, lses_stride), false, 4,
        { { 1,false }, { 0,false }, { 3,false }, { 2,false } }},
    {"sinks", Type::kFloat32, false, -1, offsetof(Spec, has_sinks), 0, 0, 0, false, 1,
        { { 3,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 4, { { 0,false },
        { 2,false }, { 3,false }, { 4,false } }},
    {"lse", Type::kFloat32, true, -1, offsetof(Spec, has_lse), 0, 0, offsetof(Spec, lse_stride),
        false, 3, { { 0,false }, { 3,false }, { 2,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "merge", 15, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward}, resolve,
};

}  // namespace fovea::merge
