// All operations. Made by ops/generate.
#pragma once

#include "ops/activation/operation.h"
#include "ops/additive/operation.h"
#include "ops/append/operation.h"
#include "ops/attention/operation.h"
#include "ops/channel/operation.h"
#include "ops/cross_entropy/operation.h"
#include "ops/distance/operation.h"
#include "ops/embedding/operation.h"
#include "ops/linear/operation.h"
#include "ops/merge/operation.h"
#include "ops/norm/operation.h"
#include "ops/optimizer/operation.h"
#include "ops/projection/operation.h"
#include "ops/rotary/operation.h"
#include "ops/spatial/operation.h"

#define FOVEA_OPERATIONS(X) X(activation) X(additive) X(append) X(attention) X(channel) X(cross_entropy) X(distance) X(embedding) X(linear) X(merge) X(norm) X(optimizer) X(projection) X(rotary) X(spatial)

namespace fovea {

constexpr const Operation* kOperations[] = {
    &activation::kOperation,
    &additive::kOperation,
    &append::kOperation,
    &attention::kOperation,
    &channel::kOperation,
    &cross_entropy::kOperation,
    &distance::kOperation,
    &embedding::kOperation,
    &linear::kOperation,
    &merge::kOperation,
    &norm::kOperation,
    &optimizer::kOperation,
    &projection::kOperation,
    &rotary::kOperation,
    &spatial::kOperation,
};

// Null if there is none of that id.
inline const Operation* find_operation(int32_t id) {
  for (const Operation* operation : kOperations) {
    if (operation->id == id) return operation;
  }
  return nullptr;
}

}  // namespace fovea
