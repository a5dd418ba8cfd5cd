// What norm takes and gives. Made by ops/generate from ops/norm.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/norm/operands.h"

namespace fovea::norm {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"centered", Kind::kFlag, offsetof(Spec, centered), 1},
    {"accumulate_dx", Kind::kFlag, offsetof(Spec, accumulate_dx), 1},
    {"has_weight", Kind::kFlag, offsetof(Spec, has_weight), 1},
    {"has_bias", Kind::kFlag, offsetof(Spec, has_bias), 1},
    {"has_mean", Kind::kFlag, offsetof(Spec, has_mean), 1},
    {"has_inverse", Kind::kFlag, offsetof(Spec, has_inverse), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dweight", Kind::kFlag, offsetof(Spec, has_dweight), 1},
    {"has_dbias", Kind::kFlag, offsetof(Spec, has_dbias), 1},
    {"epsilon", Kind::kOther, offsetof(Spec, epsilon), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"length", Kind::kOther, offsetof(Spec, length), 1},
    {"heads", Kind::kOther, offsetof(Spec, heads), 1},
    {"width", Kind::kOther, offsetof(Spec, width), 1},
    {"x_stride", Kind::kOther, offsetof(Spec, x_stride), 1},
    {"weight_stride", Kind::kOther, offsetof(Spec, weight_stride), 1},
    {"bias_stride", Kind::kOther, offsetof(Spec, bias_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"mean_stride", Kind::kOther, offsetof(Spec, mean_stride), 1},
    {"inverse_stride", Kind::kOther, offsetof(Spec, inverse_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dx_stride", Kind::kOther, offsetof(Spec, dx_stride), 1},
    {"dweight_stride", Kind::kOther, offsetof(Spec, dweight_stride), 1},
    {"dbias_stride", Kind::kOther, offsetof(Spec, dbias_stride), 1},
};
constexpr Number kNumbers[] = {
    {"epsilon", offsetof(Spec, epsilon), 0, -FLT_MAX, FLT_MAX},
};
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"length", offsetof(Spec, length), 0, kMaxLength, nullptr, 0},
    {"heads", offsetof(Spec, heads), 1, kMaxLength, nullptr, 0},
    {"width", offsetof(Spec, width), 1, 65536, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 4, { { 0,false },
        { 1,false }, { 2,false }, { 3,false } }},
    {"weight", Type::kFloat32, false, -1, offsetof(Spec, has_weight), 0, 0, offsetof(Spec,
        weight_stride), false, 2, { { 2,true }, { 3,false } }},
    {"bias", Type::kFloat32, false, -1, offsetof(Spec, has_bias), 0, 0, offsetof(Spec, bias_stride),
        false, 2, { { 2,true }, { 3,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 4, { { 0,false },
        { 1,false }, { 2,false }, { 3,false } }},
    {"mean", Type::kFloat32, true, -1, offsetof(Spec, has_mean), 0, 0, offsetof(Spec, mean_stride),
        false, 3, { { 0,false }, { 1,false }, { 2,false } }},
    {"inverse", Type::kFloat32, true, -1, offsetof(Spec, has_inverse), 0, 0, offsetof(Spec,
        inverse_stride), false, 3, { { 0,false }, { 1,false }, { 2,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 4, { { 0,false },
        { 1,false }, { 2,false }, { 3,false } }},
    {"weight", Type::kFloat32, false, -1, offsetof(Spec, has_weight), 0, 0, offsetof(Spec,
        weight_stride), false, 2, { { 2,true }, { 3,false } }},
    {"bias", Type::kFloat32, false, -1, offsetof(Spec, has_bias), 0, 0, offsetof(Spec, bias_stride),
        false, 2, { { 2,true }, { 3,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 4, { { 0,false },
        { 1,false }, { 2,false }, { 3,false } }},
    {"dx", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dx_stride), false, 4, { { 0,false },
        { 1,false }, { 2,false }, { 3,false } }},
    {"dweight", Type::kFloat32, true, -1, offsetof(Spec, has_dweight), 0, 0, offsetof(Spec,
        dweight_stride), false, 2, { { 2,true }, { 3,false } }},
    {"dbias", Type::kFloat32, true, -1, offsetof(Spec, has_dbias), 0, 0, offsetof(Spec,
        dbias_stride), false, 2, { { 2,true }, { 3,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "norm", 9, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward}, resolve,
};

}  // namespace fovea::norm
