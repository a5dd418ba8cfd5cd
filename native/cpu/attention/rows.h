// Attention's query rows: how their scores are scaled.
#pragma once

#include "core/constants.h"
#include "cpu/softmax/rows.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

class AttentionRows : public Rows<Spec> {
 public:
  using Rows::Rows;

  // What a query is multiplied by before its scores. Softcap bounds the score in natural units;
  // without it the units of log2 come for free.
  float query_scale() const { return spec_.softcap > 0 ? spec_.scale : spec_.scale * kLog2e; }
  // What softcap takes the tanh of, from a score: by itself, since a query times the inverse might
  // overflow where the score does not.
  vfloat capped(vfloat score) const { return tanh(score * splat(1.0f / spec_.softcap)); }
  // What a slope of ALiBi is multiplied by, from a key's signed distance to the row's position.
  vfloat alibi_distance(vfloat d) const { return spec_.causal ? d : min(d, splat(0.0f) - d); }

  int64_t alibi_offset(int64_t row) const {
    return batch_ * spec_.alibi_slopes_stride[0] + head(row) * spec_.alibi_slopes_stride[1];
  }
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
