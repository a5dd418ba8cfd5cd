// What a plan has its operands reach: a run trusts its addresses.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "fovea.h"

namespace fovea::replay {

constexpr int32_t kInt32 = 0;  // the dtype of lengths, which has no number of its own

// Elements [low, high) of an operand, counted from its address; none where one of its dimensions is
// empty. A plan without the operand says nothing by its strides.
struct Reach {
  const char* name;
  bool present;
  int32_t dtype;
  __int128 low, high;

  int64_t width() const { return dtype == FOVEA_FLOAT16 || dtype == FOVEA_BFLOAT16 ? 2 : 4; }
};

// The operands of a run of `plan`, in the order of its arguments.
class OperandReach {
 public:
  explicit OperandReach(const fovea_attention_plan& plan)
      : spec_(plan.spec), gradients_(plan.gradients) {}

  std::vector<Reach> forward() {
    tensors();
    features();
    rows("out", spec_.out_dtype, spec_.out_stride, queries_, heads_, spec_.value_head_dim);
    lse(spec_.has_lse);
    scores("weights", spec_.has_weights, FOVEA_FLOAT32, spec_.weights_stride);
    return std::move(all_);
  }

  std::vector<Reach> backward() {
    const int64_t width = spec_.value_head_dim;
    rows("dout", spec_.out_dtype, gradients_.dout_stride, queries_, heads_, width);
    tensors();
    rows("out", spec_.out_dtype, spec_.out_stride, queries_, heads_, width);
    lse(true);
    features();
    rows("dquery", gradients_.dtype, gradients_.dquery_stride, queries_, heads_, spec_.head_dim);
    rows("dkey", gradients_.dtype, gradients_.dkey_stride, keys_, spec_.key_heads, spec_.head_dim);
    rows("dvalue", gradients_.dtype, gradients_.dvalue_stride, keys_, spec_.key_heads, width);
    // A sum over a dimension is there even if that is empty.
    const auto summed = [](int64_t size, int64_t stride) {
      return Dimension{stride == 0 ? 1 : size, stride};
    };
    const auto& dbias = gradients_.dbias_stride;
    add("dbias", gradients_.has_dbias, FOVEA_FLOAT32,
        {summed(batch_, dbias[0]), summed(heads_, dbias[1]), summed(queries_, dbias[2]),
         {spec_.key_length, 1}});
    const auto& dalibi = gradients_.dalibi_stride;
    add("dalibi_slopes", gradients_.has_dalibi, FOVEA_FLOAT32,
        {summed(spec_.batch, dalibi[0]), summed(heads_, dalibi[1])});
    add("dsinks", gradients_.has_dsinks, FOVEA_FLOAT32, {{heads_, 1}});
    return std::move(all_);
  }

 private:
  struct Dimension {
    int64_t size, stride;
  };
  using Strides = int64_t[3];

  void tensors() {
    rows("query", spec_.dtype, spec_.query_stride, queries_, heads_, spec_.head_dim);
    rows("key", spec_.dtype, spec_.key_stride, keys_, spec_.key_heads, spec_.head_dim);
    rows("value", spec_.dtype, spec_.value_stride, keys_, spec_.key_heads, spec_.value_head_dim);
  }

  void features() {
    scores("bias", spec_.bias_dtype != 0, spec_.bias_dtype, spec_.bias_stride);
    add("alibi_slopes", spec_.has_alibi, FOVEA_FLOAT32,
        {{spec_.batch, spec_.alibi_stride[0]}, {heads_, spec_.alibi_stride[1]}});
    add("sinks", spec_.has_sinks, FOVEA_FLOAT32, {{heads_, 1}});
    add("cu_seqlens_q", spec_.packed, kInt32, {{spec_.batch + 1, 1}});
    add("cu_seqlens_k", spec_.packed, kInt32, {{spec_.batch + 1, 1}});
    add("query_lengths", spec_.has_query_lengths, kInt32, {{spec_.batch, 1}});
    add("key_lengths", spec_.has_key_lengths, kInt32, {{spec_.batch, 1}});
  }

  void rows(const char* name, int32_t dtype, const Strides& stride, int64_t positions,
            int64_t heads, int64_t width) {
    add(name, true, dtype,
        {{batch_, stride[0]}, {positions, stride[1]}, {heads, stride[2]}, {width, 1}});
  }
  void scores(const char* name, bool present, int32_t dtype, const Strides& stride) {
    add(name, present, dtype,
        {{batch_, stride[0]}, {heads_, stride[1]}, {queries_, stride[2]}, {spec_.key_length, 1}});
  }
  void lse(bool present) {
    add("lse", present, FOVEA_FLOAT32,
        {{batch_, spec_.lse_stride[0]}, {heads_, spec_.lse_stride[1]}, {queries_, 1}});
  }

  void add(const char* name, bool present, int32_t dtype,
           std::initializer_list<Dimension> dimensions) {
    Reach reach{name, present, dtype, 0, 1};
    for (const Dimension& dimension : dimensions) {
      const __int128 step = __int128{dimension.size - 1} * dimension.stride;
      if (dimension.size > 0) (step < 0 ? reach.low : reach.high) += step;
    }
    const auto empty = [](const Dimension& dimension) { return dimension.size == 0; };
    if (std::any_of(dimensions.begin(), dimensions.end(), empty)) reach.low = reach.high = 0;
    all_.push_back(reach);
  }

  const fovea_attention_spec& spec_;
  const fovea_attention_gradients& gradients_;
  const int64_t batch_ = spec_.packed ? 1 : spec_.batch;
  const int64_t queries_ = spec_.packed ? spec_.query_total : spec_.query_length;
  const int64_t keys_ = spec_.packed ? spec_.key_total : spec_.key_length;
  const int64_t heads_ = spec_.query_heads;
  std::vector<Reach> all_;
};

}  // namespace fovea::replay
