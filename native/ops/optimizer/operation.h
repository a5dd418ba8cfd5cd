// What optimizer takes and gives. Made by ops/generate from ops/optimizer.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/optimizer/operands.h"

namespace fovea::optimizer {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"rule", Kind::kFlag, offsetof(Spec, rule), 2},
    {"nesterov", Kind::kFlag, offsetof(Spec, nesterov), 1},
    {"has_mean", Kind::kFlag, offsetof(Spec, has_mean), 1},
    {"has_square", Kind::kFlag, offsetof(Spec, has_square), 1},
    {"has_out", Kind::kFlag, offsetof(Spec, has_out), 1},
    {"beta1", Kind::kOther, offsetof(Spec, beta1), 1},
    {"beta2", Kind::kOther, offsetof(Spec, beta2), 1},
    {"epsilon", Kind::kOther, offsetof(Spec, epsilon), 1},
    {"weight_decay", Kind::kOther, offsetof(Spec, weight_decay), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"count", Kind::kOther, offsetof(Spec, count), 1},
    {"rate_count", Kind::kOther, offsetof(Spec, rate_count), 1},
    {"gradient_stride", Kind::kOther, offsetof(Spec, gradient_stride), 1},
    {"parameter_stride", Kind::kOther, offsetof(Spec, parameter_stride), 1},
    {"mean_stride", Kind::kOther, offsetof(Spec, mean_stride), 1},
    {"square_stride", Kind::kOther, offsetof(Spec, square_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
};
constexpr Number kNumbers[] = {
    {"beta1", offsetof(Spec, beta1), 0, 0, 1},
    {"beta2", offsetof(Spec, beta2), 0, 0, 1},
    {"epsilon", offsetof(Spec, epsilon), 0, 0, FLT_MAX},
    {"weight_decay", offsetof(Spec, weight_decay), 0, 0, FLT_MAX},
};
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"count", offsetof(Spec, count), 0, kMaxLength, nullptr, 0},
    {"rate_count", offsetof(Spec, rate_count), 4, 4, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"gradient", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, gradient_stride), false, 2,
        { { 0,false }, { 1,false } }},
    {"rates", Type::kFloat32, false, -1, 0, 0, 0, 0, false, 1, { { 2,false } }},
    {"parameter", Type::kFloat32, true, -1, 0, 0, 0, offsetof(Spec, parameter_stride), false, 2,
        { { 0,false }, { 1,false } }},
    {"mean", Type::kFloat32, true, -1, offsetof(Spec, has_mean), 0, 0, offsetof(Spec, mean_stride),
        false, 2, { { 0,false }, { 1,false } }},
    {"square", Type::kFloat32, true, -1, offsetof(Spec, has_square), 0, 0, offsetof(Spec,
        square_stride), false, 2, { { 0,false }, { 1,false } }},
    {"out", Type::kOut, true, -1, offsetof(Spec, has_out), 0, 0, offsetof(Spec, out_stride), false,
        2, { { 0,false }, { 1,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "optimizer", 13, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward}, resolve,
};

}  // namespace fovea::optimizer
