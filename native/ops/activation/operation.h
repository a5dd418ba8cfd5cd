// What activation takes and gives. Made by ops/generate from ops/activation.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/activation/operands.h"

namespace fovea::activation {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"function", Kind::kFlag, offsetof(Spec, function), 6},
    {"has_bias", Kind::kFlag, offsetof(Spec, has_bias), 1},
    {"has_gate", Kind::kFlag, offsetof(Spec, has_gate), 1},
    {"has_residual", Kind::kFlag, offsetof(Spec, has_residual), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dx", Kind::kFlag, offsetof(Spec, has_dx), 1},
    {"has_dbias", Kind::kFlag, offsetof(Spec, has_dbias), 1},
    {"has_dgate", Kind::kFlag, offsetof(Spec, has_dgate), 1},
    {"has_dresidual", Kind::kFlag, offsetof(Spec, has_dresidual), 1},
    {"dropout", Kind::kOther, offsetof(Spec, dropout), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"length", Kind::kOther, offsetof(Spec, length), 1},
    {"width", Kind::kOther, offsetof(Spec, width), 1},
    {"x_stride", Kind::kOther, offsetof(Spec, x_stride), 1},
    {"gate_stride", Kind::kOther, offsetof(Spec, gate_stride), 1},
    {"residual_stride", Kind::kOther, offsetof(Spec, residual_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dx_stride", Kind::kOther, offsetof(Spec, dx_stride), 1},
    {"dgate_stride", Kind::kOther, offsetof(Spec, dgate_stride), 1},
    {"dresidual_stride", Kind::kOther, offsetof(Spec, dresidual_stride), 1},
};
constexpr Number kNumbers[] = {
    {"dropout", offsetof(Spec, dropout), 0, -FLT_MAX, FLT_MAX},
};
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"length", offsetof(Spec, length), 0, kMaxLength, nullptr, 0},
    {"width", offsetof(Spec, width), 1, kMaxLength, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 3, { { 0,false },
        { 1,false }, { 2,false } }},
    {"bias", Type::kFloat32, false, -1, offsetof(Spec, has_bias), 0, 0, 0, false, 1,
        { { 2,false } }},
    {"gate", Type::kSpec, false, -1, offsetof(Spec, has_gate), 0, 0, offsetof(Spec, gate_stride),
        false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"residual", Type::kSpec, false, -1, offsetof(Spec, has_residual), 0, 0, offsetof(Spec,
        residual_stride), false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 3, { { 0,false },
        { 1,false }, { 2,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 3, { { 0,false },
        { 1,false }, { 2,false } }},
    {"bias", Type::kFloat32, false, -1, offsetof(Spec, has_bias), 0, 0, 0, false, 1,
        { { 2,false } }},
    {"gate", Type::kSpec, false, -1, offsetof(Spec, has_gate), 0, 0, offsetof(Spec, gate_stride),
        false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"residual", Type::kSpec, false, -1, offsetof(Spec, has_residual), 0, 0, offsetof(Spec,
        residual_stride), false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 3, { { 0,false },
        { 1,false }, { 2,false } }},
    {"dx", Type::kGradient, true, -1, offsetof(Spec, has_dx), 0, 0, offsetof(Spec, dx_stride),
        false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"dbias", Type::kFloat32, true, -1, offsetof(Spec, has_dbias), 0, 0, 0, false, 1,
        { { 2,false } }},
    {"dgate", Type::kGradient, true, -1, offsetof(Spec, has_dgate), 0, 0, offsetof(Spec,
        dgate_stride), false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"dresidual", Type::kGradient, true, -1, offsetof(Spec, has_dresidual), 0, 0, offsetof(Spec,
        dresidual_stride), false, 3, { { 0,false }, { 1,false }, { 2,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "activation", 10, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward},
        resolve,
};

}  // namespace fovea::activation
