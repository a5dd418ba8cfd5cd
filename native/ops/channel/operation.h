// What channel takes and gives. Made by ops/generate from ops/channel.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/channel/operands.h"

namespace fovea::channel {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"has_bias1", Kind::kFlag, offsetof(Spec, has_bias1), 1},
    {"has_bias2", Kind::kFlag, offsetof(Spec, has_bias2), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dweight1", Kind::kFlag, offsetof(Spec, has_dweight1), 1},
    {"has_dbias1", Kind::kFlag, offsetof(Spec, has_dbias1), 1},
    {"has_dweight2", Kind::kFlag, offsetof(Spec, has_dweight2), 1},
    {"has_dbias2", Kind::kFlag, offsetof(Spec, has_dbias2), 1},
    {"reserved0", Kind::kOther, offsetof(Spec, reserved0), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"channels", Kind::kOther, offsetof(Spec, channels), 1},
    {"height", Kind::kOther, offsetof(Spec, height), 1},
    {"width", Kind::kOther, offsetof(Spec, width), 1},
    {"hidden", Kind::kOther, offsetof(Spec, hidden), 1},
    {"x_stride", Kind::kOther, offsetof(Spec, x_stride), 1},
    {"weight1_stride", Kind::kOther, offsetof(Spec, weight1_stride), 1},
    {"weight2_stride", Kind::kOther, offsetof(Spec, weight2_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dx_stride", Kind::kOther, offsetof(Spec, dx_stride), 1},
    {"dweight1_stride", Kind::kOther, offsetof(Spec, dweight1_stride), 1},
    {"dweight2_stride", Kind::kOther, offsetof(Spec, dweight2_stride), 1},
};
constexpr List<Number> kNumbers;
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"channels", offsetof(Spec, channels), 1, 65536, nullptr, 0},
    {"height", offsetof(Spec, height), 1, kMaxLength, nullptr, 0},
    {"width", offsetof(Spec, width), 1, kMaxLength, nullptr, 0},
    {"hidden", offsetof(Spec, hidden), 1, 65536, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"weight1", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, weight1_stride), false, 2,
        { { 4,false }, { 1,false } }},
    {"bias1", Type::kFloat32, false, -1, offsetof(Spec, has_bias1), 0, 0, 0, false, 1,
        { { 4,false } }},
    {"weight2", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, weight2_stride), false, 2,
        { { 1,false }, { 4,false } }},
    {"bias2", Type::kFloat32, false, -1, offsetof(Spec, has_bias2), 0, 0, 0, false, 1,
        { { 1,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"weight1", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, weight1_stride), false, 2,
        { { 4,false }, { 1,false } }},
    {"bias1", Type::kFloat32, false, -1, offsetof(Spec, has_bias1), 0, 0, 0, false, 1,
        { { 4,false } }},
    {"weight2", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, weight2_stride), false, 2,
        { { 1,false }, { 4,false } }},
    {"bias2", Type::kFloat32, false, -1, offsetof(Spec, has_bias2), 0, 0, 0, false, 1,
        { { 1,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"dx", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dx_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"dweight1", Type::kFloat32, true, -1, offsetof(Spec, has_dweight1), 0, 0, offsetof(Spec,
        dweight1_stride), false, 2, { { 4,false }, { 1,false } }},
    {"dbias1", Type::kFloat32, true, -1, offsetof(Spec, has_dbias1), 0, 0, 0, false, 1,
        { { 4,false } }},
    {"dweight2", Type::kFloat32, true, -1, offsetof(Spec, has_dweight2), 0, 0, offsetof(Spec,
        dweight2_stride), false, 2, { { 1,false }, { 4,false } }},
    {"dbias2", Type::kFloat32, true, -1, offsetof(Spec, has_dbias2), 0, 0, 0, false, 1,
        { { 1,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "channel", 4, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward}, resolve,
};

}  // namespace fovea::channel
