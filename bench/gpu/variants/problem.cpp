#include "problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "cuda/attention/plan.h"

namespace fovea::attention::cuda::variants {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kUnit = 0x1p-8;  // of bfloat16

std::vector<double> widen(const std::vector<bfloat16>& from) {
  std::vector<double> to(from.size());
  std::transform(from.begin(), from.end(), to.begin(), [](bfloat16 x) { return to_float(x); });
  return to;
}

void set_strides(int64_t (&stride)[3], int64_t positions, int64_t heads, int64_t head_dim) {
  stride[2] = head_dim;
  stride[1] = heads * head_dim;
  stride[0] = positions * stride[1];
}

}  // namespace

int64_t Problem::visible(int64_t b, int64_t query) const {
  const int64_t keys_there = key_length(b), queries_there = query_length(b);
  if (query >= queries_there) return 0;
  if (!causal) return keys_there;
  return std::clamp<int64_t>(query + keys_there - queries_there + 1, 0, keys_there);
}

fovea_plan Problem::plan(const fovea_device_info& device, bool backward) const {
  fovea_plan plan = {};
  plan.size = sizeof plan;
  plan.pass = backward ? FOVEA_BACKWARD : FOVEA_FORWARD;
  Spec& spec = spec_of(plan);
  spec.size = sizeof spec;
  spec.pass = plan.pass;
  spec.dtype = FOVEA_BFLOAT16;
  spec.causal = causal;
  spec.alignment = FOVEA_BOTTOM_RIGHT;
  spec.has_query_lengths = !query_lengths.empty();
  spec.has_key_lengths = !key_lengths.empty();
  spec.has_lse = 1;
  spec.batch = batch;
  spec.query_length = queries;
  spec.key_length = keys;
  spec.query_heads = heads;
  spec.key_heads = key_heads;
  spec.head_dim = spec.value_head_dim = head_dim;
  set_strides(spec.query_stride, queries, heads, head_dim);
  set_strides(spec.key_stride, keys, key_heads, head_dim);
  set_strides(spec.value_stride, keys, key_heads, head_dim);
  set_strides(spec.out_stride, queries, heads, head_dim);
  spec.lse_stride[0] = heads * queries;
  spec.lse_stride[1] = queries;

  set_strides(spec.dout_stride, queries, heads, head_dim);
  set_strides(spec.dquery_stride, queries, heads, head_dim);
  set_strides(spec.dkey_stride, keys, key_heads, head_dim);
  set_strides(spec.dvalue_stride, keys, key_heads, head_dim);

  set_default_types(&spec);
  int32_t status = resolve(plan);
  if (status == FOVEA_OK) {
    status = backward ? cuda::plan_backward(device, plan) : cuda::plan_forward(device, plan);
  }
  if (status != FOVEA_OK) throw std::runtime_error(plan.error);
  return plan;
}

std::vector<bfloat16> random_elements(size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<bfloat16> all(count);
  for (bfloat16& x : all) x = from_float<bfloat16>(normal(random));
  return all;
}

std::string Expected::judge(const char* name, const std::vector<float>& actual) const {
  double squares = 0, variances = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    if (actual[i] == value[i]) continue;  // infinities, and zeros that are exact
    const double error = std::abs(actual[i] - value[i]);
    if (!(error <= bound[i])) {
      return std::string(name) + "[" + std::to_string(i) + "] = " + std::to_string(actual[i]) +
             ", expected " + std::to_string(value[i]) + " within " + std::to_string(bound[i]);
    }
    squares += error * error;
  }
  for (const double x : variance) variances += x;
  if (variances > 0 && squares > 1.3 * 1.3 * variances) {
    return std::string(name) + " has " + std::to_string(std::sqrt(squares / variances)) +
           " times the error that rounding leaves, expected up to 1.3";
  }
  return "";
}

Reference::Reference(Problem given)
    : problem(std::move(given)),
      query(random_elements(problem.query_elements(), 1)),
      key(random_elements(problem.key_elements(), 2)),
      value(random_elements(problem.key_elements(), 3)),
      dout(random_elements(problem.query_elements(), 4)),
      out(query.size()),
      dquery(query.size()),
      dkey(key.size()),
      dvalue(key.size()),
      lse(problem.rows()),
      delta(problem.rows()),
      wide_query_(widen(query)),
      wide_key_(widen(key)),
      wide_value_(widen(value)),
      wide_dout_(widen(dout)) {
  for (int64_t b = 0; b < problem.batch; ++b) {
    for (int64_t head = 0; head < problem.heads; ++head) attend(b, head);
  }
  for (Expected* it : {&out, &dquery, &dkey, &dvalue}) {
    for (size_t i = 0; i < it->value.size(); ++i) {
      const double result = std::abs(it->value[i]);
      it->bound[i] += 1.02 * kUnit * result;
      it->variance[i] += kUnit * kUnit / 6 * result * result;
    }
  }
  for (size_t i = 0; i < lse.value.size(); ++i) {
    lse.bound[i] = std::isinf(lse.value[i]) ? 0 : 1e-5 * std::max(1.0, std::abs(lse.value[i]));
  }
}

void Reference::attend(int64_t b, int64_t head) {
  const int64_t dim = problem.head_dim, key_head = head * problem.key_heads / problem.heads;
  const double scale = 1 / std::sqrt(double(dim));
  const auto query_at = [&](int64_t i) {
    return ((b * problem.queries + i) * problem.heads + head) * dim;
  };
  const auto key_at = [&](int64_t j) {
    return ((b * problem.keys + j) * problem.key_heads + key_head) * dim;
  };
  const auto product = [&](const double* x, const double* y) {
    double sum = 0;
    for (int64_t d = 0; d < dim; ++d) sum += x[d] * y[d];
    return sum;
  };
  // What is rounded is each weight or score gradient that is the factor of a product, and the
  // result. The rest is float32 arithmetic: 4e-7 for each unit of the scores, which reach 10, and
  // what the tensor cores truncate of sums over keys, rows and columns.
  const double longest = double(std::max(
      {problem.queries * problem.heads / problem.key_heads, problem.keys, problem.head_dim}));
  const double arithmetic = 4e-6 + longest / 16 * 0x1p-23;
  // A term of a sum; `parts` are the absolute values that make the factor.
  const auto add = [&](Expected& to, int64_t at, double factor, double parts, const double* row) {
    const double bound = 1.02 * kUnit * std::abs(factor) + arithmetic * parts;
    for (int64_t d = 0; d < dim; ++d) {
      to.value[at + d] += factor * row[d];
      to.bound[at + d] += bound * std::abs(row[d]);
      to.variance[at + d] += kUnit * kUnit / 6 * factor * factor * row[d] * row[d];
    }
  };
  std::vector<double> weights(problem.keys);
  for (int64_t i = 0; i < problem.queries; ++i) {
    const int64_t row = (b * problem.heads + head) * problem.queries + i, q = query_at(i);
    const int64_t visible = problem.visible(b, i);
    lse.value[row] = -kInfinity;
    if (visible == 0) continue;
    double largest = -kInfinity, sum = 0;
    for (int64_t j = 0; j < visible; ++j) {
      weights[j] = scale * product(&wide_query_[q], &wide_key_[key_at(j)]);
      largest = std::max(largest, weights[j]);
    }
    for (int64_t j = 0; j < visible; ++j) sum += weights[j] = std::exp(weights[j] - largest);
    lse.value[row] = largest + std::log(sum);
    for (int64_t j = 0; j < visible; ++j) {
      weights[j] /= sum;
      add(out, q, weights[j], weights[j], &wide_value_[key_at(j)]);
    }
    delta[row] = product(&wide_dout_[q], &out.value[q]);
    for (int64_t j = 0; j < visible; ++j) {
      const int64_t k = key_at(j);
      double dp = 0, parts = std::abs(delta[row]);
      for (int64_t d = 0; d < dim; ++d) {
        const double term = wide_dout_[q + d] * wide_value_[k + d];
        dp += term;
        parts += std::abs(term);
      }
      const double factor = scale * weights[j], ds = factor * (dp - delta[row]);
      add(dvalue, k, weights[j], weights[j], &wide_dout_[q]);
      add(dquery, q, ds, factor * parts, &wide_key_[k]);
      add(dkey, k, ds, factor * parts, &wide_query_[q]);
    }
  }
}

}  // namespace fovea::attention::cuda::variants
