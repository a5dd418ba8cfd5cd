// What a spec of attention may say beside what its declaration does, and what it leaves out.

#include <algorithm>
#include <cmath>

#include "core/block.h"
#include "core/philox.h"
#include "ops/attention/attention.h"

namespace fovea::attention {
namespace {

class Resolution {
 public:
  explicit Resolution(fovea_plan& plan) : plan_(plan), spec_(spec_of(plan)) {}

  int32_t run() {
    if (int32_t status = check_sizes()) return status;
    if (int32_t status = check_numbers()) return status;
    if (plan_.pass == FOVEA_BACKWARD) {
      if (int32_t status = check_backward()) return status;
    }
    set_defaults();
    // Five products in the backward pass where the forward has two.
    plan_.flops = 2.0 * double(spec_.head_dim + spec_.value_head_dim) * double(spec_.batch) *
                  double(spec_.query_heads) * visible_pairs() *
                  (plan_.pass == FOVEA_BACKWARD ? 2.5 : 1.0);
    return FOVEA_OK;
  }

 private:
  template <typename... Values>
  int32_t invalid(const char* format, Values... values) {
    return fail(plan_.error, FOVEA_INVALID_ARGUMENT, format, values...);
  }

  int32_t check_sizes() {
    if (spec_.packed && spec_.has_query_lengths) {
      return fail(plan_.error, FOVEA_UNSUPPORTED,
                  "packed query sequences take their lengths from cu_seqlens_q, not from "
                  "query_lengths");
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

  int32_t check_numbers() {
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
    return FOVEA_OK;
  }

  int32_t check_backward() {
    const struct {
      bool wanted, given;
      const char* gradient;
      const char* of;
    } all[] = {{spec_.has_dbias != 0, spec_.bias_dtype != 0, "dbias", "bias"},
               {spec_.has_dalibi_slopes != 0, spec_.has_alibi_slopes != 0, "dalibi_slopes",
                "alibi_slopes"},
               {spec_.has_dsinks != 0, spec_.has_sinks != 0, "dsinks", "sinks"}};
    for (const auto& it : all) {
      if (it.wanted && !it.given) {
        return invalid("%s is wanted, but the forward had no %s", it.gradient, it.of);
      }
    }
    if (!spec_.has_lse) {
      return invalid("there is no lse, but the backward pass needs the forward's lse");
    }
    if (spec_.has_weights) {
      return invalid("has_weights is 1, expected 0: weights have no part in a backward pass");
    }
    return FOVEA_OK;
  }

  void set_defaults() {
    if (spec_.out_dtype == 0) spec_.out_dtype = spec_.dtype;
    if (spec_.gradient_dtype == 0) spec_.gradient_dtype = spec_.dtype;
    if (spec_.packed) {
      // No sequence is longer than all; but key_length is also the width of bias and weights.
      spec_.query_length = std::min(spec_.query_length, spec_.query_total);
      if (spec_.bias_dtype == 0 && !spec_.has_weights) {
        spec_.key_length = std::min(spec_.key_length, spec_.key_total);
      }
    }
    if (!spec_.has_scale) spec_.scale = float(1.0 / std::sqrt(double(spec_.head_dim)));
    // A window wider than any distance is the same window, and cannot overflow a position.
    const int64_t farthest = spec_.query_length + spec_.key_length;
    spec_.window_left = std::min(spec_.window_left, farthest);
    spec_.window_right = std::min(spec_.window_right, farthest);
  }

  // Pairs a head computes at most: exact for one full-length sequence.
  double visible_pairs() const {
    const double queries = double(spec_.query_length), keys = double(spec_.key_length);
    double width = keys;
    if (spec_.has_window_left && spec_.has_window_right) {
      width = std::min(width, double(spec_.window_left) + double(spec_.window_right) + 1);
    }
    if (spec_.causal) {
      if (spec_.has_window_left) width = std::min(width, double(spec_.window_left) + 1);
      const double triangle = std::min(queries, keys);
      return std::min(queries * width, queries * keys - triangle * (triangle - 1) / 2);
    }
    return queries * width;
  }

  fovea_plan& plan_;
  Spec& spec_;
};

}  // namespace

int32_t resolve(fovea_plan& plan) { return Resolution(plan).run(); }

}  // namespace fovea::attention
