// Phases of cross-entropy on a CPU, and its workspace: for planner and kernel alike.
#pragma once

#include "ops/cross_entropy/cross_entropy.h"

namespace fovea::cross_entropy::cpu {

enum Phase {
  kCheckPhase,  // whether all targets are classes, so that a run which is refused has written nothing; first the
                // sum of class_weight, where it is needed
  kRowPhase,
  kPhases,
};

constexpr int64_t kCheckedRows = 65536;  // of an item

inline int64_t parts_of(int64_t count, int64_t part) { return (count + part - 1) / part; }

}  // namespace fovea::cross_entropy::cpu
