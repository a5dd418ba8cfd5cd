// Whether the buffers of a case hold all that a plan has its operands reach: a run trusts its addresses.
#pragma once

#include <string>
#include <vector>

#include "case_file.h"

namespace fovea::replay {

class OperandCheck {
 public:
  OperandCheck(const fovea_attention_plan& plan, const Case& c)
      : spec_(plan.spec), gradients_(plan.gradients), case_(c) {}

  // How the first operand that is wrong is so; empty if none is.
  std::string run() {
    inputs();
    if (case_.backward) {
      gradients();
    } else {
      outputs();
    }
    if (checked_ != case_.in.size() + case_.out.size()) die("an operand is not checked");
    return wrong_;
  }

 private:
  struct Dimension {
    int64_t size, stride;
  };

  void inputs() {
    const auto& in = case_.in;
    check(in, "query", spec_.dtype, rows(spec_.query_stride, queries_, heads_, spec_.head_dim));
    check(in, "key", spec_.dtype, rows(spec_.key_stride, keys_, spec_.key_heads, spec_.head_dim));
    check(in, "value", spec_.dtype,
          rows(spec_.value_stride, keys_, spec_.key_heads, spec_.value_head_dim));
    check(in, "bias", spec_.bias_dtype, scores(spec_.bias_stride));
    check(in, "alibi_slopes", FOVEA_FLOAT32,
          {{spec_.batch, spec_.alibi_stride[0]}, {heads_, spec_.alibi_stride[1]}});
    check(in, "sinks", FOVEA_FLOAT32, {{heads_, 1}});
    for (const char* name : {"cu_seqlens_q", "cu_seqlens_k"}) {
      check(in, name, kInt32, {{spec_.batch + 1, 1}});
    }
    for (const char* name : {"query_lengths", "key_lengths"}) {
      check(in, name, kInt32, {{spec_.batch, 1}});
    }
    if (!case_.backward) return;
    const auto width = spec_.value_head_dim;
    check(in, "dout", spec_.out_dtype, rows(gradients_.dout_stride, queries_, heads_, width));
    check(in, "out", spec_.out_dtype, rows(spec_.out_stride, queries_, heads_, width));
    check(in, "lse", FOVEA_FLOAT32, lse());
  }

  void outputs() {
    const auto& out = case_.out;
    check(out, "out", spec_.out_dtype,
          rows(spec_.out_stride, queries_, heads_, spec_.value_head_dim));
    check(out, "lse", FOVEA_FLOAT32, lse());
    check(out, "weights", FOVEA_FLOAT32, scores(spec_.weights_stride));
  }

  void gradients() {
    const auto& out = case_.out;
    const int64_t heads = spec_.key_heads;
    check(out, "dquery", gradients_.dtype,
          rows(gradients_.dquery_stride, queries_, heads_, spec_.head_dim));
    check(out, "dkey", gradients_.dtype,
          rows(gradients_.dkey_stride, keys_, heads, spec_.head_dim));
    check(out, "dvalue", gradients_.dtype,
          rows(gradients_.dvalue_stride, keys_, heads, spec_.value_head_dim));
    // A sum over a dimension is there even if that is empty.
    const auto summed = [](int64_t size, int64_t stride) {
      return Dimension{stride == 0 ? 1 : size, stride};
    };
    const auto& dbias = gradients_.dbias_stride;
    check(out, "dbias", FOVEA_FLOAT32,
          {summed(batch_, dbias[0]), summed(heads_, dbias[1]), summed(queries_, dbias[2]),
           {spec_.key_length, 1}});
    const auto& dalibi = gradients_.dalibi_stride;
    check(out, "dalibi_slopes", FOVEA_FLOAT32,
          {summed(spec_.batch, dalibi[0]), summed(heads_, dalibi[1])});
    check(out, "dsinks", FOVEA_FLOAT32, {{heads_, 1}});
  }

  using Strides = int64_t[3];
  std::vector<Dimension> rows(const Strides& stride, int64_t positions, int64_t heads,
                              int64_t width) const {
    return {{batch_, stride[0]}, {positions, stride[1]}, {heads, stride[2]}, {width, 1}};
  }
  std::vector<Dimension> scores(const Strides& stride) const {
    return {{batch_, stride[0]}, {heads_, stride[1]}, {queries_, stride[2]}, {spec_.key_length, 1}};
  }
  std::vector<Dimension> lse() const {
    return {{batch_, spec_.lse_stride[0]}, {heads_, spec_.lse_stride[1]}, {queries_, 1}};
  }

  template <typename Operands>
  void check(const Operands& all, const char* name, int32_t dtype,
             const std::vector<Dimension>& dimensions) {
    for (const auto& operand : all) {
      if (std::strcmp(operand.name, name) != 0) continue;
      ++checked_;
      if (wrong_.empty() && operand.present) check(operand, dtype, dimensions);
    }
  }

  void check(const Output& output, int32_t dtype, const std::vector<Dimension>& dimensions) {
    if (output.dtype != dtype) {
      wrong_ = std::string(output.name) + " is of dtype " + std::to_string(output.dtype) +
               ", and the plan writes " + std::to_string(dtype);
      return;
    }
    check(static_cast<const Operand&>(output), dtype, dimensions);
  }

  void check(const Operand& operand, int32_t dtype, const std::vector<Dimension>& dimensions) {
    const int64_t width = dtype == FOVEA_FLOAT16 || dtype == FOVEA_BFLOAT16 ? 2 : 4;
    __int128 low = 0, high = 1;  // strides of an operand that the plan does not have may be any
    for (const Dimension& dimension : dimensions) {
      if (dimension.size == 0) return;
      if (dimension.size == 1) continue;
      const __int128 step = __int128{dimension.size - 1} * dimension.stride;
      (step < 0 ? low : high) += step;
    }
    if (operand.offset % width != 0) {
      wrong_ = std::string(operand.name) + " begins at byte " + std::to_string(operand.offset) +
               ", which no element does";
    } else if (operand.offset + low * width < 0 ||
               operand.offset + high * width > operand.bytes.size) {
      wrong_ = std::string(operand.name) + " reaches beyond its " +
               std::to_string(operand.bytes.size) + " bytes";
    }
  }

  static constexpr int32_t kInt32 = 0;  // has no number of its own

  const fovea_attention_spec& spec_;
  const fovea_attention_gradients& gradients_;
  const Case& case_;
  const int64_t batch_ = spec_.packed ? 1 : spec_.batch;
  const int64_t queries_ = spec_.packed ? spec_.query_total : spec_.query_length;
  const int64_t keys_ = spec_.packed ? spec_.key_total : spec_.key_length;
  const int64_t heads_ = spec_.query_heads;
  std::string wrong_;
  size_t checked_ = 0;
};

}  // namespace fovea::replay
