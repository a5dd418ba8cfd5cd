// The tokens of a key head in the order in which its state meets them, and their rows as float32. Causal,
// a token has the key and the query of a position, one of them missing where there are more of the other;
// not causal, all keys come first, then all queries.
#pragma once

#include "cpu/linear/state.h"
#include "cpu/softmax/sequences.h"

namespace fovea::linear::cpu::FOVEA_TIER {

// Rows of a chunk of tokens, `heads` of them for each.
struct TokenRows {
  float* at;
  int64_t row;
  int64_t heads = 1;

  float* of(int token, int64_t head = 0) const { return at + (token * heads + head) * row; }
};

class Tokens {
 public:
  Tokens(const Spec& spec, const Inputs& inputs, const fovea::cpu::Sequence& sequence,
         int64_t batch, int64_t key_head)
      : spec_(spec),
        inputs_(inputs),
        sequence_(sequence),
        batch_(batch),
        key_head_(key_head),
        group_(spec.query_heads / spec.key_heads),
        count_(spec.causal ? std::max(sequence.key_length, sequence.query_length)
                           : sequence.key_length + sequence.query_length),
        first_key_(spec.causal ? count_ - sequence.key_length : 0),
        first_query_(count_ - sequence.query_length) {}

  int64_t count() const { return count_; }
  int64_t group() const { return group_; }
  int64_t key_of(int64_t token) const { return token - first_key_; }
  int64_t query_of(int64_t token) const { return token - first_query_; }
  bool has_key(int64_t token) const {
    return token >= first_key_ && token < first_key_ + sequence_.key_length;
  }
  bool has_query(int64_t token) const { return token >= first_query_; }
  // Tokens [begin, end) of chunk [from, from + count) that have one, counted from its first.
  Span keys_within(int64_t from, int count) const {
    return within(first_key_, first_key_ + sequence_.key_length, from, count);
  }
  Span queries_within(int64_t from, int count) const { return within(first_query_, count_, from, count); }

  // Rows of `count` tokens; zeros for those that have none.
  // phi(key) and phi(query), columns [begin, end).
  void load_keys(int64_t from, int count, int64_t begin, int64_t end, const TokenRows& to) const {
    load_key_rows(inputs_.key, spec_.dtype, spec_.key_stride, begin, end, from, count, to);
    map_features(to, keys_within(from, count), end - begin);
  }
  void load_values(int64_t from, int count, int64_t begin, int64_t end, const TokenRows& to) const {
    load_key_rows(inputs_.value, spec_.dtype, spec_.value_stride, begin, end, from, count, to);
  }
  void load_queries(int64_t from, int count, int64_t begin, int64_t end, const TokenRows& to) const {
    load_query_rows(inputs_.query, spec_.dtype, spec_.query_stride, begin, end, 1, from, count, to);
    map_features(to, queries_within(from, count), end - begin);
  }
  void load_query_rows(const void* rows, int32_t dtype, const int64_t (&stride)[3], int64_t begin,
                       int64_t end, float scale, int64_t from, int count, const TokenRows& to) const {
    with_type(dtype, [&](auto zero) {
      const auto* const at = static_cast<const decltype(zero)*>(rows) + begin;
      for (int t = 0; t < count; ++t) {
        for (int64_t h = 0; h < group_; ++h) {
          if (!has_query(from + t)) {
            std::fill_n(to.of(t, h), round_to_vectors(end - begin), 0.0f);
            continue;
          }
          if (from + t + kRowsAhead < count_) {
            prefetch_row(at + query_offset(stride, query_of(from + t + kRowsAhead), h), end - begin);
          }
          load_row(at + query_offset(stride, query_of(from + t), h), end - begin, scale, to.of(t, h));
        }
      }
    });
  }

  // e^(decay + key_decay) of columns [begin, end), 1 for tokens without a key; a row of no columns has the
  // one of `decay`.
  void load_decays(int64_t from, int count, int64_t begin, int64_t end, const TokenRows& to) const {
    if (spec_.key_decay_dtype != 0) {
      load_key_rows(inputs_.key_decay, spec_.key_decay_dtype, spec_.key_decay_stride, begin, end, from,
                    count, to);
    }
    const vfloat log2e = splat(1.4426950408889634f), most = splat(126.0f);
    for (int t = 0; t < count; ++t) {
      const bool there = has_key(from + t);
      const float one = there ? number(inputs_.decay, spec_.decay_dtype, spec_.decay_stride, from + t) : 0;
      float* const row = to.of(t);
      if (spec_.key_decay_dtype == 0) {
        const vfloat power = exp2(min(most, splat(one) * log2e));
        for (int64_t c = 0; c < std::max<int64_t>(1, round_to_vectors(end - begin)); c += kLanes) {
          store(row + c, power);
        }
        continue;
      }
      for (int64_t c = 0; c < end - begin; c += kLanes) {
        store(row + c, exp2(min(most, (load(row + c) + splat(one)) * log2e)));
      }
    }
  }
  void load_betas(int64_t from, int count, float* to) const {
    for (int t = 0; t < count; ++t) {
      to[t] = has_key(from + t) ? number(inputs_.beta, spec_.beta_dtype, spec_.beta_stride, from + t) : 0;
    }
  }

  // Element offset of a row in a tensor of strides (batch, position, head).
  int64_t query_offset(const int64_t (&stride)[3], int64_t query, int64_t member) const {
    return offset(stride, sequence_.query_start + query, key_head_ * group_ + member);
  }
  int64_t key_offset(const int64_t (&stride)[3], int64_t key) const {
    return offset(stride, sequence_.key_start + key, key_head_);
  }
  // Likewise of a state, of strides (batch, head, ...).
  template <size_t kRank>
  int64_t state_offset(const int64_t (&stride)[kRank]) const {
    return batch_ * stride[0] + key_head_ * stride[1];
  }
  // Rows of the workspace.
  int64_t key_row(int64_t key) const {
    const int64_t start = spec_.packed ? sequence_.key_start : batch_ * spec_.key_length;
    return (start + key) * spec_.key_heads + key_head_;
  }
  int64_t query_row(int64_t query, int64_t member) const {
    const int64_t start = spec_.packed ? sequence_.query_start : batch_ * spec_.query_length;
    return (start + query) * spec_.query_heads + key_head_ * group_ + member;
  }

  // phi, of the rows of tokens that have one; what they are filled up with stays zero.
  void map_features(const TokenRows& rows, Span tokens, int64_t columns) const {
    if (spec_.feature_map == FOVEA_IDENTITY) return;
    const vfloat zero = {}, one = splat(1.0f);
    for (int64_t r = tokens.begin * rows.heads; r < tokens.end * rows.heads; ++r) {
      float* const row = rows.at + r * rows.row;
      for (int64_t c = 0; c < columns; c += kLanes) {
        const vfloat x = load(row + c);
        const vfloat below = spec_.feature_map == FOVEA_RELU
                                 ? select(x == x, zero, x)
                                 : exp2(min(zero, x) * splat(1.4426950408889634f));
        store(row + c, select(x > zero, spec_.feature_map == FOVEA_RELU ? x : x + one, below));
      }
      std::fill(row + columns, row + round_to_vectors(columns), 0.0f);
    }
  }
  // A gradient of phi(x) to one of x, by the value of phi: 1 above 0; below, exp(x) is its own derivative.
  void unmap_features(const float* features, int64_t columns, float* gradient) const {
    if (spec_.feature_map == FOVEA_IDENTITY) return;
    const vfloat zero = {}, one = splat(1.0f);
    for (int64_t c = 0; c < columns; c += kLanes) {
      const vfloat phi = load(features + c), g = load(gradient + c);
      store(gradient + c, spec_.feature_map == FOVEA_RELU ? select(phi > zero, g, zero)
                                                          : g * min(one, phi));
    }
  }

 private:
  static Span within(int64_t begin, int64_t end, int64_t from, int count) {
    return {int(std::clamp<int64_t>(begin - from, 0, count)),
            int(std::clamp<int64_t>(end - from, 0, count))};
  }

  void load_key_rows(const void* rows, int32_t dtype, const int64_t (&stride)[3], int64_t begin,
                     int64_t end, int64_t from, int count, const TokenRows& to) const {
    with_type(dtype, [&](auto zero) {
      const auto* const at = static_cast<const decltype(zero)*>(rows) + begin;
      for (int t = 0; t < count; ++t) {
        if (!has_key(from + t)) {
          std::fill_n(to.of(t), round_to_vectors(end - begin), 0.0f);
          continue;
        }
        if (has_key(from + t + kRowsAhead)) {
          prefetch_row(at + key_offset(stride, key_of(from + t + kRowsAhead)), end - begin);
        }
        load_row(at + key_offset(stride, key_of(from + t)), end - begin, 1.0f, to.of(t));
      }
    });
  }

  // Of [B, Sk, Hk]; 0 where there is no such operand.
  float number(const void* of, int32_t dtype, const int64_t (&stride)[3], int64_t token) const {
    float x = 0;
    if (dtype == 0) return x;
    with_type(dtype, [&](auto zero) {
      x = to_float(static_cast<const decltype(zero)*>(of)[key_offset(stride, key_of(token))]);
    });
    return x;
  }

  int64_t offset(const int64_t (&stride)[3], int64_t position, int64_t head) const {
    return (spec_.packed ? 0 : batch_ * stride[0]) + position * stride[1] + head * stride[2];
  }

  const Spec& spec_;
  const Inputs& inputs_;
  const fovea::cpu::Sequence sequence_;
  const int64_t batch_, key_head_, group_, count_, first_key_, first_query_;
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
