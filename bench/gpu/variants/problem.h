// What variants compute: attention over dense [batch, position, head, head_dim] tensors of
// bfloat16, and what it should be, in double, from the definition.
#pragma once

#include <string>
#include <vector>

#include "core/half.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cuda::variants {

struct Problem {
  std::string name;
  int64_t batch, heads, key_heads, queries, keys, head_dim;
  bool causal;
  std::vector<int32_t> query_lengths, key_lengths;  // of each sequence; empty where all are full

  int64_t query_elements() const { return batch * queries * heads * head_dim; }
  int64_t key_elements() const { return batch * keys * key_heads * head_dim; }
  int64_t rows() const { return batch * heads * queries; }
  int64_t query_length(int64_t b) const {
    return query_lengths.empty() ? queries : query_lengths[b];
  }
  int64_t key_length(int64_t b) const { return key_lengths.empty() ? keys : key_lengths[b]; }
  // How many keys a query sees: always the first ones.
  int64_t visible(int64_t b, int64_t query) const;

  // As the product plans it for the device.
  fovea_plan plan(const fovea_device_info& device, bool backward) const;
};

// Standard normal, the same for a seed.
std::vector<bfloat16> random_elements(size_t count, unsigned seed);

// What a tensor should hold. An element may be off by its bound; the mean square of the errors by
// 1.3^2 times the mean variance, which a single key too many or too few exceeds.
struct Expected {
  std::vector<double> value, bound, variance;

  explicit Expected(size_t count) : value(count), bound(count), variance(count) {}
  // Empty if `actual` is that, else what is wrong.
  std::string judge(const char* name, const std::vector<float>& actual) const;
};

struct Reference {
  Problem problem;
  std::vector<bfloat16> query, key, value, dout;
  Expected out, dquery, dkey, dvalue;
  Expected lse;               // [batch, head, query]
  std::vector<double> delta;  // <dout, out>, likewise

  explicit Reference(Problem given);

 private:
  std::vector<double> wide_query_, wide_key_, wide_value_, wide_dout_;

  void attend(int64_t b, int64_t head);
};

}  // namespace fovea::attention::cuda::variants
