// What a spec may say, checked once for every backend.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "core/block.h"
#include "core/philox.h"
#include "core/strides.h"
#include "ops/attention/attention.h"

namespace fovea::attention {
namespace {

constexpr int64_t kMaxLength = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxHeadDim = 512;

bool known(int32_t dtype) { return dtype >= FOVEA_FLOAT32 && dtype <= FOVEA_BFLOAT16; }

class Validation {
 public:
  Validation(const fovea_attention_spec& spec, fovea_attention_plan& plan)
      : spec_(spec), plan_(plan) {}

  int32_t run() {
    if (int32_t status = dtypes()) return status;
    if (int32_t status = flags()) return status;
    if (int32_t status = sizes()) return status;
    if (int32_t status = scalars()) return status;
    return strides();
  }

 private:
  template <typename... Values>
  int32_t invalid(const char* format, Values... values) {
    return fail(plan_.error, FOVEA_INVALID_ARGUMENT, format, values...);
  }

  int32_t dtypes() {
    if (!known(spec_.dtype)) {
      return invalid("dtype is %d, expected float32 (1), float16 (2) or bfloat16 (3)", spec_.dtype);
    }
    if (spec_.out_dtype != 0 && !known(spec_.out_dtype)) {
      return invalid("out_dtype is %d, expected 0 to 3", spec_.out_dtype);
    }
    if (spec_.bias_dtype != 0 && !known(spec_.bias_dtype)) {
      return invalid("bias_dtype is %d, expected 0 to 3", spec_.bias_dtype);
    }
    return FOVEA_OK;
  }

  int32_t flags() {
    const struct {
      const char* name;
      int32_t value;
    } all[] = {{"packed", spec_.packed},
               {"causal", spec_.causal},
               {"alignment", spec_.alignment},
               {"has_window_left", spec_.has_window_left},
               {"has_window_right", spec_.has_window_right},
               {"has_scale", spec_.has_scale},
               {"has_alibi", spec_.has_alibi},
               {"has_sinks", spec_.has_sinks},
               {"has_query_lengths", spec_.has_query_lengths},
               {"has_key_lengths", spec_.has_key_lengths},
               {"has_lse", spec_.has_lse},
               {"has_weights", spec_.has_weights},
               {"allow_tf32", spec_.allow_tf32}};
    for (const auto& flag : all) {
      if (flag.value != 0 && flag.value != 1) {
        return invalid("%s is %d, expected 0 or 1", flag.name, flag.value);
      }
    }
    if (spec_.packed && spec_.has_query_lengths) {
      return fail(plan_.error, FOVEA_UNSUPPORTED,
                  "packed query sequences take their lengths from cu_seqlens_q, not from "
                  "query_lengths");
    }
    return FOVEA_OK;
  }

  int32_t sizes() {
    const struct {
      const char* name;
      int64_t value, low, high;
    } all[] = {{"batch", spec_.batch, 0, kMaxLength},
               {"query_length", spec_.query_length, 0, kMaxLength},
               {"key_length", spec_.key_length, 0, kMaxLength},
               {"query_total", spec_.query_total, 0, spec_.packed ? kMaxLength : 0},
               {"key_total", spec_.key_total, 0, spec_.packed ? kMaxLength : 0},
               {"query_heads", spec_.query_heads, 1, kMaxLength},
               {"key_heads", spec_.key_heads, 1, kMaxLength},
               {"head_dim", spec_.head_dim, 1, kMaxHeadDim},
               {"value_head_dim", spec_.value_head_dim, 1, kMaxHeadDim}};
    for (const auto& size : all) {
      if (size.value < size.low || size.value > size.high) {
        return invalid("%s is %lld, expected %lld to %lld", size.name, (long long)size.value,
                       (long long)size.low, (long long)size.high);
      }
    }
    if (int32_t status =
            total("query_total", spec_.query_total, "query_length", spec_.query_length)) {
      return status;
    }
    if (int32_t status = total("key_total", spec_.key_total, "key_length", spec_.key_length)) {
      return status;
    }
    if (spec_.query_heads % spec_.key_heads != 0) {
      return invalid("query_heads is %lld, expected a multiple of key_heads, %lld",
                     (long long)spec_.query_heads, (long long)spec_.key_heads);
    }
    // Dropout counts (batch, head) pairs in 32 bits, and items are counted in 64.
    if (__int128{spec_.batch} * spec_.query_heads > UINT32_MAX ||
        __int128{spec_.batch} * spec_.query_heads * spec_.query_length > (__int128{1} << 60)) {
      return invalid("batch %lld times query_heads %lld times query_length %lld is too large",
                     (long long)spec_.batch, (long long)spec_.query_heads,
                     (long long)spec_.query_length);
    }
    return FOVEA_OK;
  }

  // Rows that no sequence can have would be left as they were.
  int32_t total(const char* name, int64_t rows, const char* longest, int64_t length) {
    if (rows <= spec_.batch * length) return FOVEA_OK;
    return invalid("%s is %lld, but %lld sequences of at most %s = %lld have fewer rows", name,
                   (long long)rows, (long long)spec_.batch, longest, (long long)length);
  }

  int32_t scalars() {
    if (spec_.has_scale && !std::isfinite(spec_.scale)) {
      return invalid("scale is %g, expected a finite number", double(spec_.scale));
    }
    if (spec_.softcap != 0 && !(spec_.softcap >= 0x1p-32f && spec_.softcap <= 0x1p32f)) {
      return invalid("softcap is %g, expected 0 (off) or a number from 2^-32 to 2^32",
                     double(spec_.softcap));
    }
    if (!(spec_.dropout >= 0 && spec_.dropout < 1) || dropout_threshold(spec_.dropout) > 65535) {
      return invalid("dropout is %g, expected 0 to 65535/65536", double(spec_.dropout));
    }
    if (spec_.window_left < 0 || spec_.window_right < 0) {
      return invalid("window is (%lld, %lld), expected no negative side",
                     (long long)spec_.window_left, (long long)spec_.window_right);
    }
    return FOVEA_OK;
  }

  int32_t strides() {
    const int64_t batch = spec_.packed ? 1 : spec_.batch;
    const int64_t queries = spec_.packed ? spec_.query_total : spec_.query_length;
    const int64_t keys = spec_.packed ? spec_.key_total : spec_.key_length;
    const int64_t value_dim = spec_.value_head_dim;
    const int64_t heads = spec_.query_heads;
    const auto tensor = [&](const char* name, const int64_t* stride, int64_t positions,
                            int64_t heads_, int64_t row, bool written) {
      Dimension d[3] = {{batch, stride[0]}, {positions, stride[1]}, {heads_, stride[2]}};
      return check(name, d, row, written);
    };
    const auto scores = [&](const char* name, const int64_t* stride, bool written) {
      Dimension d[3] = {{batch, stride[0]}, {heads, stride[1]}, {queries, stride[2]}};
      return check(name, d, spec_.key_length, written);
    };
    if (int32_t s = tensor("query", spec_.query_stride, queries, heads, spec_.head_dim, false))
      return s;
    if (int32_t s = tensor("key", spec_.key_stride, keys, spec_.key_heads, spec_.head_dim, false))
      return s;
    if (int32_t s = tensor("value", spec_.value_stride, keys, spec_.key_heads, value_dim, false))
      return s;
    if (int32_t s = tensor("out", spec_.out_stride, queries, heads, value_dim, true)) return s;
    if (spec_.bias_dtype != 0) {
      if (int32_t s = scores("bias", spec_.bias_stride, false)) return s;
    }
    if (spec_.has_weights) {
      if (int32_t s = scores("weights", spec_.weights_stride, true)) return s;
    }
    if (spec_.has_lse) {
      Dimension d[2] = {{batch, spec_.lse_stride[0]}, {heads, spec_.lse_stride[1]}};
      if (int32_t s = check("lse", d, queries, true)) return s;
    }
    if (spec_.has_alibi) {
      Dimension d[2] = {{spec_.batch, spec_.alibi_stride[0]}, {heads, spec_.alibi_stride[1]}};
      if (int32_t s = check("alibi_slopes", d, 1, false)) return s;
    }
    return FOVEA_OK;
  }

  template <size_t kCount>
  int32_t check(const char* name, Dimension (&dimensions)[kCount], int64_t row, bool written) {
    return check_strides(name, dimensions, row, written, plan_.error);
  }

  const fovea_attention_spec& spec_;
  fovea_attention_plan& plan_;
};

// Pairs a head computes at most: exact for one full-length sequence.
double visible_pairs(const fovea_attention_spec& spec) {
  const double queries = double(spec.query_length), keys = double(spec.key_length);
  double width = keys;
  if (spec.has_window_left && spec.has_window_right) {
    width = std::min(width, double(spec.window_left) + double(spec.window_right) + 1);
  }
  if (spec.causal) {
    if (spec.has_window_left) width = std::min(width, double(spec.window_left) + 1);
    const double triangle = std::min(queries, keys);
    return std::min(queries * width, queries * keys - triangle * (triangle - 1) / 2);
  }
  return queries * width;
}

}  // namespace

int32_t plan_spec(const fovea_attention_spec& given, fovea_attention_plan& plan) {
  if (int32_t status = Validation(given, plan).run()) return status;
  plan.abi_version = FOVEA_ABI_VERSION;
  plan.spec = given;
  fovea_attention_spec& spec = plan.spec;
  if (spec.out_dtype == 0) spec.out_dtype = spec.dtype;
  if (spec.packed) {
    // No sequence is longer than all; but key_length is also the width of bias and weights.
    spec.query_length = std::min(spec.query_length, spec.query_total);
    if (spec.bias_dtype == 0 && !spec.has_weights) {
      spec.key_length = std::min(spec.key_length, spec.key_total);
    }
  }
  if (!spec.has_scale) spec.scale = float(1.0 / std::sqrt(double(spec.head_dim)));
  // A window wider than any distance is the same window, and cannot overflow a position.
  const int64_t farthest = spec.query_length + spec.key_length;
  spec.window_left = std::min(spec.window_left, farthest);
  spec.window_right = std::min(spec.window_right, farthest);
  plan.flops = 2.0 * double(spec.head_dim + spec.value_head_dim) * double(spec.batch) *
               double(spec.query_heads) * visible_pairs(spec);
  return FOVEA_OK;
}

int32_t check_items(const fovea_attention_plan& plan, fovea_attention_call& call) {
  if (call.phase < 0 || call.phase >= plan.phases) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT, "phase is %d, expected 0 to %d", call.phase,
                plan.phases - 1);
  }
  if (call.begin < 0 || call.begin > call.end || call.end > plan.items[call.phase]) {
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "items are [%lld, %lld), expected within [0, %lld)", (long long)call.begin,
                (long long)call.end, (long long)plan.items[call.phase]);
  }
  return FOVEA_OK;
}

int32_t check_presence(const Presence* all, size_t count, fovea_attention_call& call) {
  for (size_t i = 0; i < count; ++i) {
    if (all[i].needed && all[i].address == nullptr) {
      return fail(call.error, FOVEA_INVALID_ARGUMENT, "%s is NULL, but the plan needs it",
                  all[i].name);
    }
    if (!all[i].allowed && all[i].address != nullptr) {
      return fail(call.error, FOVEA_INVALID_ARGUMENT,
                  "%s is given, but the plan was made without it", all[i].name);
    }
  }
  return FOVEA_OK;
}

int32_t check_inputs(const fovea_attention_spec& spec, const Inputs& inputs, bool lengths,
                     fovea_attention_call& call) {
  const bool any = spec.batch > 0 && spec.query_length > 0;
  const bool keys = any && spec.key_length > 0;
  const Presence all[] = {
      {"query", inputs.query, any, true},
      {"key", inputs.key, keys, true},
      {"value", inputs.value, keys, true},
      {"bias", inputs.bias, keys && spec.bias_dtype != 0, spec.bias_dtype != 0},
      {"alibi_slopes", inputs.alibi_slopes, any && spec.has_alibi, spec.has_alibi != 0},
      {"sinks", inputs.sinks, any && spec.has_sinks, spec.has_sinks != 0},
      {"cu_seqlens_q", inputs.cu_seqlens_q, lengths && spec.packed, spec.packed != 0},
      {"cu_seqlens_k", inputs.cu_seqlens_k, lengths && spec.packed, spec.packed != 0},
      {"query_lengths", inputs.query_lengths, lengths && spec.has_query_lengths,
       spec.has_query_lengths != 0},
      {"key_lengths", inputs.key_lengths, lengths && spec.has_key_lengths,
       spec.has_key_lengths != 0},
  };
  return check_presence(all, std::size(all), call);
}

int32_t check_forward_call(const fovea_attention_plan& plan, const ForwardOperands& operands,
                   fovea_attention_call& call) {
  if (int32_t status = check_items(plan, call)) return status;
  const fovea_attention_spec& spec = plan.spec;
  const bool any = spec.batch > 0 && spec.query_length > 0;
  if (int32_t status = check_inputs(spec, operands, any, call)) return status;
  const Presence all[] = {
      {"out", operands.out, any, true},
      {"lse", operands.lse, any && spec.has_lse, spec.has_lse != 0},
      {"weights", operands.weights, any && spec.key_length > 0 && spec.has_weights,
       spec.has_weights != 0},
  };
  return check_presence(all, std::size(all), call);
}

}  // namespace fovea::attention
