// What spatial takes and gives. Made by ops/generate from ops/spatial.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/spatial/operands.h"

namespace fovea::spatial {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"has_bias", Kind::kFlag, offsetof(Spec, has_bias), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dweight", Kind::kFlag, offsetof(Spec, has_dweight), 1},
    {"has_dbias", Kind::kFlag, offsetof(Spec, has_dbias), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"channels", Kind::kOther, offsetof(Spec, channels), 1},
    {"height", Kind::kOther, offsetof(Spec, height), 1},
    {"width", Kind::kOther, offsetof(Spec, width), 1},
    {"maps", Kind::kOther, offsetof(Spec, maps), 1},
    {"kernel_size", Kind::kOther, offsetof(Spec, kernel_size), 1},
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
    {"channels", offsetof(Spec, channels), 1, 65536, nullptr, 0},
    {"height", offsetof(Spec, height), 1, kMaxLength, nullptr, 0},
    {"width", offsetof(Spec, width), 1, kMaxLength, nullptr, 0},
    {"maps", offsetof(Spec, maps), 2, 2, nullptr, 0},
    {"kernel_size", offsetof(Spec, kernel_size), 1, 31, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"weight", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, weight_stride), false, 3,
        { { 4,false }, { 5,false }, { 5,false } }},
    {"bias", Type::kFloat32, false, -1, offsetof(Spec, has_bias), 0, 0, 0, false, 1,
        { { -1,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"x", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, x_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"weight", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, weight_stride), false, 3,
        { { 4,false }, { 5,false }, { 5,false } }},
    {"bias", Type::kFloat32, false, -1, offsetof(Spec, has_bias), 0, 0, 0, false, 1,
        { { -1,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"dx", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dx_stride), false, 5, { { 0,false },
        { 1,false }, { 2,false }, { 3,false }, { -1,false } }},
    {"dweight", Type::kFloat32, true, -1, offsetof(Spec, has_dweight), 0, 0, offsetof(Spec,
        dweight_stride), false, 3, { { 4,false }, { 5,false }, { 5,false } }},
    {"dbias", Type::kFloat32, true, -1, offsetof(Spec, has_dbias), 0, 0, 0, false, 1,
        { { -1,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "spatial", 5, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward}, resolve,
};

}  // namespace fovea::spatial
