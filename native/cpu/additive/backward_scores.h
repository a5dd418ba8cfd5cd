// The scores of a backward tile, and what the gradients of these give to query, key, weight and bias.
#pragma once

#include <algorithm>

#include "cpu/additive/gradient.h"
#include "cpu/additive/scores.h"
#include "cpu/softmax/backward_pairs.h"

namespace fovea::additive::cpu::FOVEA_TIER {

class BackwardScores : public BackwardPairs<Scores> {
 public:
  using BackwardPairs::BackwardPairs;

  // Keys of the tile that row r of query i sees.
  Span seen(int64_t i, int keys) const { return seen_within(i, 0, keys); }

 protected:
  void compute(const fovea::cpu::FOVEA_TIER::Tile& tile, const Span*, const Panel<float>& s) {
    Scores::compute(tile.rows, tile.keys, s);
  }
};

class BackwardGradients {
 public:
  using Tile = BackwardTile<BackwardScores>;

  BackwardGradients(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        layout_(run.scratch_layout),
        lse_(run.workspace + run.workspace_layout.lse + work.first_row),
        keys_{run.scratch + layout_.keys, layout_.query_row},
        group_(spec_.query_heads / spec_.key_heads),
        sums_(spec_.has_dweight || spec_.has_dbias) {}

  static void start_keys(int64_t, int) {}
  void start(int64_t) {
    if (sums_)
      std::fill_n(sums_of(work_.key_head * group_), group_ * 2 * run_.workspace_layout.sum_row,
                  0.0);
  }
  static float* const* row_sums() { return nullptr; }
  static float key_units() { return 1.0f; }

  void load_keys(const Tile& tile, int64_t j, int count) {
    with_type(spec_.dtype, [&](auto zero) {
      const auto* key = static_cast<const decltype(zero)*>(run_.operands.key) +
                        tile.key_offset(spec_.key_stride, j);
      for (int k = 0; k < count; ++k) {
        float* const to = keys_.at + k * keys_.row;
        load_row(key + k * spec_.key_stride[1], spec_.head_dim, 1.0f, to);
        for (int64_t a = 0; a < spec_.head_dim; a += kLanes) {
          store(to + a, power_of(load(to + a), vfloat{}));
        }
      }
    });
    key_begin_ = j;
  }

  void add(Tile& tile, int64_t row, int rows, int keys, bool add_keys, const Panel<float>& dkeys,
           bool add_queries, const Panel<float>& dqueries) {
    if (!add_keys) std::fill_n(dkeys.at, keys * dkeys.row, 0.0f);
    for (int r = 0; r < rows; ++r) {
      if (!add_queries) std::fill_n(dqueries.at + r * dqueries.row, dqueries.row, 0.0f);
    }
    // Of the rows of this tile before they join the many in double.
    float* const sums = run_.scratch + layout_.sums;
    if (sums_) std::fill_n(sums, 2 * tile.slots(rows) * layout_.query_row, 0.0f);
    add_apart(tile, row, rows, keys, dkeys, dqueries);
    // As many keys at a time as stay in L1, with their gradients.
    constexpr int kNear = 64, kDims = kDimVectors * kLanes;
    for (int begin = 0; begin < keys; begin += kNear) {
      const int end = std::min(keys, begin + kNear);
      for (int64_t a = 0; a < spec_.head_dim; a += kDims) {
        add_near(tile, row, rows, begin, end, a, dkeys, dqueries);
      }
    }
    if (!sums_) return;
    tile.for_each_row(row, row + std::min<int64_t>(rows, tile.slots(rows)),
                      [&](int64_t at, int64_t, int64_t head) {
                        const float* const dweight = sums + (at - row) * 2 * layout_.query_row;
                        double* const to = sums_of(head);
                        for (int64_t a = 0; a < spec_.head_dim; ++a) {
                          to[a] += double(dweight[a]);
                          to[run_.workspace_layout.sum_row + a] +=
                              double(dweight[layout_.query_row + a]);
                        }
                      });
  }

 private:
  double* sums_of(int64_t head) const {
    return reinterpret_cast<double*>(run_.workspace) +
           run_.workspace_layout.sums_of(spec_, work_.batch, work_.keys, head);
  }

  // Of pairs that are no products of factors, whose gradients are then zero to all that follows.
  void add_apart(Tile& tile, int64_t row, int rows, int keys, const Panel<float>& dkeys,
                 const Panel<float>& dqueries) {
    tile.for_each_row(row, row + rows, [&](int64_t at, int64_t i, int64_t head) {
      const int r = int(at - row);
      const Span seen = tile.seen(i, keys);
      if (lse_[at] == kInfinity) return;
      const float* const weight = tile.weights_of(head);
      float* const ds = tile.gradients().at + r * tile.gradients().row;
      float* const sums = run_.scratch + layout_.sums + tile.slot(r) * 2 * layout_.query_row;
      tile.for_each_apart(r, seen.begin, seen.end, [&](int k) {
        const float* const t = tile.tanh_row(at, key_begin_ + k);
        for (int64_t a = 0; a < spec_.head_dim; ++a) {
          const float du = weight[a] * (ds[k] * (1 - t[a] * t[a]));
          dqueries.at[r * dqueries.row + a] += du;
          dkeys.at[k * dkeys.row + a] += du;
          if (!sums_) continue;
          sums[a] += ds[k] * t[a];
          sums[layout_.query_row + a] += du;
        }
        ds[k] = 0;
      });
    });
  }

  // Keys [begin, end) of the tile and a few vectors of head_dim from a on.
  void add_near(Tile& tile, int64_t row, int rows, int begin, int end, int64_t a,
                const Panel<float>& dkeys, const Panel<float>& dqueries) {
    const int vectors =
        int(std::min<int64_t>(kDimVectors, (spec_.head_dim - a + kLanes - 1) / kLanes));
    const int width = vectors * kLanes;
    alignas(64) float weights[kDimVectors * kLanes], dquery[kDimVectors * kLanes],
        dweight[kDimVectors * kLanes];
    tile.for_each_row(row, row + rows, [&](int64_t at, int64_t i, int64_t head) {
      const int r = int(at - row);
      const Span all = tile.seen(i, end);
      const Span seen = {std::max(all.begin, begin), all.end};
      // What sees nothing gives nothing, not even what is not a number.
      if (seen.begin >= seen.end || lse_[at] == kInfinity) return;
      const float* const weight = tile.weights_of(head) + a;
      const int64_t left = std::min<int64_t>(width, spec_.head_dim - a);
      std::copy_n(weight, left, weights);
      std::fill(weights + left, weights + width, 0.0f);
      float* const ds = tile.gradients().at + r * tile.gradients().row;
      const auto gradient = tile.is_limited(r) ? add_gradient<true> : add_gradient<false>;
      const Gradient g = {tile.power_row(r) + a,
                          weights,
                          ds,
                          keys_.at + a,
                          dkeys.at + a,
                          dkeys.row,
                          seen.begin,
                          seen.end,
                          dquery,
                          dweight};
      gradient(vectors, g);
      float* const to = dqueries.at + r * dqueries.row + a;
      for (int x = 0; x < width; ++x) to[x] += weights[x] * dquery[x];
      if (!sums_) return;
      float* const sums = run_.scratch + layout_.sums + tile.slot(r) * 2 * layout_.query_row + a;
      for (int x = 0; x < width; ++x) {
        sums[x] += dweight[x];
        sums[layout_.query_row + x] += weights[x] * dquery[x];
      }
    });
  }

  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  const BackwardScratch& layout_;
  const float* const lse_;
  const Panel<float> keys_;
  const int64_t group_;
  const bool sums_;
  int64_t key_begin_ = 0;
};

}  // namespace fovea::additive::cpu::FOVEA_TIER
