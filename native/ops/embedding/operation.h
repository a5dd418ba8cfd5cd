// What embedding takes and gives. Made by ops/generate from ops/embedding.op.
#pragma once

#include <cfloat>
#include <iterator>

#include "core/operation.h"
#include "ops/embedding/operands.h"

namespace fovea::embedding {

constexpr Field kFields[] = {
    {"size", Kind::kOther, offsetof(Spec, size), 1},
    {"pass", Kind::kFlag, offsetof(Spec, pass), 1},
    {"dtype", Kind::kType, offsetof(Spec, dtype), 1},
    {"out_dtype", Kind::kType, offsetof(Spec, out_dtype), 1},
    {"gradient_dtype", Kind::kType, offsetof(Spec, gradient_dtype), 1},
    {"has_scale", Kind::kFlag, offsetof(Spec, has_scale), 1},
    {"has_padding", Kind::kFlag, offsetof(Spec, has_padding), 1},
    {"has_positions", Kind::kFlag, offsetof(Spec, has_positions), 1},
    {"has_position_ids", Kind::kFlag, offsetof(Spec, has_position_ids), 1},
    {"deterministic", Kind::kFlag, offsetof(Spec, deterministic), 1},
    {"accumulate", Kind::kFlag, offsetof(Spec, accumulate), 1},
    {"has_dtable", Kind::kFlag, offsetof(Spec, has_dtable), 1},
    {"has_dpositions", Kind::kFlag, offsetof(Spec, has_dpositions), 1},
    {"scale", Kind::kOther, offsetof(Spec, scale), 1},
    {"padding", Kind::kBound, offsetof(Spec, padding), 1},
    {"batch", Kind::kOther, offsetof(Spec, batch), 1},
    {"length", Kind::kOther, offsetof(Spec, length), 1},
    {"vocabulary", Kind::kOther, offsetof(Spec, vocabulary), 1},
    {"width", Kind::kOther, offsetof(Spec, width), 1},
    {"position_count", Kind::kOther, offsetof(Spec, position_count), 1},
    {"table_stride", Kind::kOther, offsetof(Spec, table_stride), 1},
    {"ids_stride", Kind::kOther, offsetof(Spec, ids_stride), 1},
    {"positions_stride", Kind::kOther, offsetof(Spec, positions_stride), 1},
    {"position_ids_stride", Kind::kOther, offsetof(Spec, position_ids_stride), 1},
    {"out_stride", Kind::kOther, offsetof(Spec, out_stride), 1},
    {"dout_stride", Kind::kOther, offsetof(Spec, dout_stride), 1},
    {"dtable_stride", Kind::kOther, offsetof(Spec, dtable_stride), 1},
    {"dpositions_stride", Kind::kOther, offsetof(Spec, dpositions_stride), 1},
};
constexpr Number kNumbers[] = {
    {"scale", offsetof(Spec, scale), offsetof(Spec, has_scale), -FLT_MAX, FLT_MAX},
};
constexpr Size kSizes[] = {
    {"batch", offsetof(Spec, batch), 0, kMaxLength, nullptr, 0},
    {"length", offsetof(Spec, length), 0, kMaxLength, nullptr, 0},
    {"vocabulary", offsetof(Spec, vocabulary), 1, kMaxLength, nullptr, 0},
    {"width", offsetof(Spec, width), 1, 65536, nullptr, 0},
    {"position_count", offsetof(Spec, position_count), 0, kMaxLength, nullptr, 0},
};
constexpr Operand kForward[] = {
    {"table", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, table_stride), false, 2,
        { { 2,false }, { 3,false } }},
    {"ids", Type::kInt32, false, -1, 0, 0, 0, offsetof(Spec, ids_stride), false, 2, { { 0,false },
        { 1,false } }},
    {"positions", Type::kSpec, false, -1, offsetof(Spec, has_positions), 0, 0, offsetof(Spec,
        positions_stride), false, 2, { { 4,false }, { 3,false } }},
    {"position_ids", Type::kInt32, false, -1, offsetof(Spec, has_position_ids), 0, 0, offsetof(Spec,
        position_ids_stride), false, 2, { { 0,true }, { 1,false } }},
    {"out", Type::kOut, true, -1, 0, 0, 0, offsetof(Spec, out_stride), false, 3, { { 0,false },
        { 1,false }, { 3,false } }},
};
static_assert(std::size(kForward) <= kMostOperands);
constexpr Operand kBackward[] = {
    {"table", Type::kSpec, false, -1, 0, 0, 0, offsetof(Spec, table_stride), false, 2,
        { { 2,false }, { 3,false } }},
    {"ids", Type::kInt32, false, -1, 0, 0, 0, offsetof(Spec, ids_stride), false, 2, { { 0,false },
        { 1,false } }},
    {"positions", Type::kSpec, false, -1, offsetof(Spec, has_positions), 0, 0, offsetof(Spec,
        positions_stride), false, 2, { { 4,false }, { 3,false } }},
    {"position_ids", Type::kInt32, false, -1, offsetof(Spec, has_position_ids), 0, 0, offsetof(Spec,
        position_ids_stride), false, 2, { { 0,true }, { 1,false } }},
    {"dout", Type::kOut, false, -1, 0, 0, 0, offsetof(Spec, dout_stride), false, 3, { { 0,false },
        { 1,false }, { 3,false } }},
    {"dtable", Type::kFloat32, true, -1, offsetof(Spec, has_dtable), 0, 0, offsetof(Spec,
        dtable_stride), false, 2, { { 2,false }, { 3,false } }},
    {"dpositions", Type::kFloat32, true, -1, offsetof(Spec, has_dpositions), 0, 0, offsetof(Spec,
        dpositions_stride), false, 2, { { 4,false }, { 3,false } }},
};
static_assert(std::size(kBackward) <= kMostOperands);

int32_t resolve(fovea_plan& plan);

constexpr Operation kOperation = {
    "embedding", 11, sizeof(Spec), 0, {  }, kFields, kNumbers, kSizes, {kForward, kBackward},
        resolve,
};

}  // namespace fovea::embedding
