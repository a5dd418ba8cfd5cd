// What projection takes and gives. Made by ops/generate from ops/projection.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/projection/operands.h"

namespace fovea::projection {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"has_lengths", Kind::kFlag, offsetof(Spec, has_lengths), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dweight", Kind::kFlag, offsetof(Spec, has_dweight), 1},
    {"reserved0", Kind::kOther, offsetof(Spec, reserved0), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"length", Kind::kOther, offsetof(Spec, length), 1},
    {"rank", Kind::kOther, offsetof(Spec, rank), 1},
    {"heads", Kind::kOther, offsetof(Spec, heads), 1},
    {"head_dim", Kind::kOther, offsetof(Spec, head_dim), 1},
    {"x_stride", Kind::kOther, offsetof(Spec, x_stride), 1},
    {"weight_stride", Kind::kOther, offsetof(Spec, weight_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dx_stride", Kind::kOther, offsetof(Spec, dx_stride), 1},
    {"dweight_stride", Kind::kOther, offsetof(Spec, dweight_stride), 1},
};
constexpr List<Number> kNumbers;
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"length", offsetof(Spec, length), 0, kMaxLength, nullptr, 0},
    {"rank", offsetof(Spec, rank), 0, kMaxLength, nullptr, 0},
    {"heads", offsetof(Spec, heads), 1, kMaxLength, nullptr, 0},
    {"head_dim", offsetof(Spec, head_dim), 1, 512, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 4, { { 0,false },
        { 1,false }, { 3,false }, { 4,false } }},
    {"weight", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, weight_stride), false, 3,
        { { 3,true }, { 2,false }, { 1,false } }},
    {"lengths", Type::kInt32, false, 1, offsetof(Spec, has_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 4, { { 0,false },
        { 2,false }, { 3,false }, { 4,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 4, { { 0,false },
        { 1,false }, { 3,false }, { 4,false } }},
    {"weight", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, weight_stride), false, 3,
        { { 3,true }, { 2,false }, { 1,false } }},
    {"lengths", Type::kInt32, false, 1, offsetof(Spec, has_lengths), 0, 0, 0, false, 1,
        { { 0,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 4, { { 0,false },
        { 2,false }, { 3,false }, { 4,false } }},
    {"dx", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dx_stride), false, 4, { { 0,false },
        { 1,false }, { 3,false }, { 4,false } }},
    {"dweight", Type::kFloat32, true, -1, offsetof(Spec, has_dweight), 0, 0, offsetof(Spec,
        dweight_stride), false, 3, { { 3,true }, { 2,false }, { 1,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "projection", 7, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward},
        resolve,
};

}  // namespace fovea::projection
