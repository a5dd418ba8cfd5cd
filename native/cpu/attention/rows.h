// Attention's query rows.
#pragma once

#include "core/constants.h"
#include "cpu/softmax/rows.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

using AttentionRows = Rows<Spec>;

}  // namespace fovea::attention::cpu::FOVEA_TIER
