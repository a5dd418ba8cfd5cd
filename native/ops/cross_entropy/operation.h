// What cross_entropy takes and gives. Made by ops/generate from ops/cross_entropy.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/cross_entropy/operands.h"

namespace fovea::cross_entropy {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"has_class_weight", Kind::kFlag, offsetof(Spec, has_class_weight), 1},
    {"has_lse", Kind::kFlag, offsetof(Spec, has_lse), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"label_smoothing", Kind::kOther, offsetof(Spec, label_smoothing), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"length", Kind::kOther, offsetof(Spec, length), 1},
    {"classes", Kind::kOther, offsetof(Spec, classes), 1},
    {"logits_stride", Kind::kOther, offsetof(Spec, logits_stride), 1},
    {"targets_stride", Kind::kOther, offsetof(Spec, targets_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"lse_stride", Kind::kOther, offsetof(Spec, lse_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dlogits_stride", Kind::kOther, offsetof(Spec, dlogits_stride), 1},
};
constexpr Number kNumbers[] = {
    {"label_smoothing", offsetof(Spec, label_smoothing), 0, 0, 1},
};
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"length", offsetof(Spec, length), 0, kMaxLength, nullptr, 0},
    {"classes", offsetof(Spec, classes), 1, kMaxLength, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"logits", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, logits_stride), false, 3,
        { { 0,false }, { 1,false }, { 2,false } }},
    {"targets", Type::kInt32, false, -1, 0, 0, 0, offsetof(Spec, targets_stride), false, 2,
        { { 0,false }, { 1,false } }},
    {"class_weight", Type::kFloat32, false, -1, offsetof(Spec, has_class_weight), 0, 0, 0, false, 1,
        { { 2,false } }},
    {"out", Type::kFloat32, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 2, { { 0,false },
        { 1,false } }},
    {"lse", Type::kFloat32, true, -1, offsetof(Spec, has_lse), 0, 0, offsetof(Spec, lse_stride),
        false, 2, { { 0,false }, { 1,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"logits", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, logits_stride), false, 3,
        { { 0,false }, { 1,false }, { 2,false } }},
    {"targets", Type::kInt32, false, -1, 0, 0, 0, offsetof(Spec, targets_stride), false, 2,
        { { 0,false }, { 1,false } }},
    {"class_weight", Type::kFloat32, false, -1, offsetof(Spec, has_class_weight), 0, 0, 0, false, 1,
        { { 2,false } }},
    {"dout", Type::kFloat32, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 2,
        { { 0,false }, { 1,false } }},
    {"lse", Type::kFloat32, false, -1, offsetof(Spec, has_lse), 0, 0, offsetof(Spec, lse_stride),
        false, 2, { { 0,false }, { 1,false } }},
    {"dlogits", Type::kGradient, true, -1, 0, 0, 0, offsetof(Spec, dlogits_stride), false, 3,
        { { 0,false }, { 1,false }, { 2,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "cross_entropy", 12, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward},
        resolve,
};

}  // namespace fovea::cross_entropy
