// The scores of a backward tile, and what the gradients of these give to query, key and bandwidth.
#pragma once

#include <algorithm>
#include <cfloat>

#include "cpu/distance/scores.h"
#include "cpu/softmax/backward_pairs.h"

namespace fovea::distance::cpu::FOVEA_TIER {

class BackwardScores : public BackwardPairs<Scores> {
 public:
  using BackwardPairs::BackwardPairs;

  // Of dS times scores, for dbandwidth.
  static constexpr int kRowSums = 1;

 protected:
  void compute(const fovea::cpu::FOVEA_TIER::Tile& tile, const Span* spans,
               const Panel<float>& s) {
    Scores::compute(tile.rows, tile.keys, spans, s);
  }

  bool is_plain(const fovea::cpu::FOVEA_TIER::Tile&) const { return !spec_.has_dbandwidth; }
  static vfloat modify(RowModifiers, int, vfloat x, vfloat&, vfloat* toward) {
    toward[0] = max(splat(-FLT_MAX), x);  // times a gradient of 0
    return x;
  }
};

class BackwardGradients {
 public:
  using Tile = BackwardTile<BackwardScores>;

  BackwardGradients(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        keys_{run.scratch + run.scratch_layout.keys, run.scratch_layout.query_row} {}

  void start(int64_t rows) {
    if (!spec_.has_dbandwidth) return;
    const BackwardWorkspace& workspace = run_.workspace_layout;
    moments_[0] =
        run_.workspace + workspace.moments + work_.keys * workspace.rows + work_.first_row;
    std::fill_n(moments_[0], rows, 0.0f);
  }
  float* const* row_sums() const { return moments_; }
  static float key_units() { return 1.0f; }

  static void start_keys(int64_t, int) {}

  void load_keys(const Tile& tile, int64_t j, int count) {
    with_type(spec_.dtype, [&](auto zero) {
      const auto* key = static_cast<const decltype(zero)*>(run_.operands.key) +
                        tile.key_offset(spec_.key_stride, j);
      for (int k = 0; k < count; ++k) {
        load_row(key + k * spec_.key_stride[1], spec_.head_dim, 1.0f, keys_.at + k * keys_.row);
      }
    });
  }

  void add(const Tile& tile, int64_t, int rows, int keys, bool add_keys, const Panel<float>& dkeys,
           bool add_queries, const Panel<float>& dqueries) {
    const int head_dim = int(spec_.head_dim);
    const Panel<float> ds = tile.gradients();
    for (int r = 0; r < rows; ++r) {
      float* const row = ds.at + r * ds.row;
      const vfloat scale = splat(tile.inverse_square_of(r));
      for (int k = 0; k < keys; k += kLanes) store(row + k, load(row + k) * scale);
    }
    add_differences({ds.at, 1, ds.row}, tile.queries(), {keys_.at, keys_.row}, keys, head_dim,
                    tile.key_spans(), add_keys, dkeys);
    add_differences({ds.at, ds.row, 1}, {keys_.at, keys_.row}, tile.queries(), rows, head_dim,
                    tile.row_spans(), add_queries, dqueries);
  }

 private:
  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  const Panel<float> keys_;
  float* moments_[1] = {};
};

}  // namespace fovea::distance::cpu::FOVEA_TIER
