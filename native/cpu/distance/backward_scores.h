// The scores of a backward tile, and what the gradients of these give to query, key and bandwidth.
#pragma once

#include <algorithm>
#include <cfloat>

#include "cpu/distance/row_fits.h"
#include "cpu/distance/scores.h"
#include "cpu/softmax/backward_pairs.h"

namespace fovea::distance::cpu::FOVEA_TIER {

class BackwardScores : public BackwardPairs<Scores> {
 public:
  BackwardScores(const BackwardRun& run, const BackwardWork& work)
      : BackwardPairs(run, work), row_{int(spec_.head_dim)}, fits_(fit_of(run, work.first_row)) {}

  // Of dS times scores, for dbandwidth.
  static constexpr int kRowSums = 1;

  // The FitRow of a row of the workspace.
  static double* fit_of(const BackwardRun& run, int64_t row) {
    return reinterpret_cast<double*>(run.workspace + run.workspace_layout.fits) +
           row * FitRow{int(spec_of(run.plan).head_dim)}.doubles();
  }

  // The slopes of a linear fit join dquery.
  static void finish_query(const BackwardRun& run, int64_t row, float* sum) {
    const Spec& spec = spec_of(run.plan);
    if (!is_linear(spec)) return;
    const FitRow fit{int(spec.head_dim)};
    const double* const slope = fit_of(run, row) + fit.slope();
    for (int a = 0; a < fit.dim; ++a) sum[a] = within_float(double(sum[a]) + slope[a]);
  }

  // Of row r of the tile.
  double* fit(int r) const { return fits_ + (row_begin_ + r) * row_.doubles(); }
  FitRow fit_row() const { return row_; }
  using Scores::columns;

  // What multiplies slopes and tilts in dkey, of a linear fit.
  Panel<float> slope_weights() const { return panel(layout_.slope_weights); }
  Panel<float> tilt_weights() const { return panel(layout_.tilt_weights); }

 protected:
  void compute(const fovea::cpu::FOVEA_TIER::Tile& tile, const Span* spans, const Panel<float>& s) {
    Scores::compute(tile.rows, tile.keys, spans, s);
    if (!is_linear(spec_) || run_.call.phase != fovea::cpu::kKeyPhase) return;
    for (const Panel<float>& weights : {slope_weights(), tilt_weights()}) {
      std::fill_n(weights.at, tile.rows * weights.row, 0.0f);
    }
  }

  bool is_plain(const fovea::cpu::FOVEA_TIER::Tile&) const {
    return !spec_.has_dbandwidth && !is_linear(spec_);
  }
  static vfloat modify(RowModifiers, int, vfloat x, vfloat&, vfloat* toward) {
    toward[0] = max(splat(-FLT_MAX), x);  // times a gradient of 0
    return x;
  }

  void refit(int r, int k, Span seen, vfloat w, vfloat g, vfloat& kept, vfloat& ds) const {
    if (!is_linear(spec_)) return;
    const double* const at = fit(r);
    alignas(64) float weights[kLanes], gradients[kLanes], scores[kLanes];
    // Not 0 times what is there, which may be NaN.
    store(weights, select(seen_lanes(seen, k), w, vfloat{}));
    store(gradients, g);
    float* const slopes = slope_weights().at + r * slope_weights().row + k;
    float* const tilts = tilt_weights().at + r * tilt_weights().row + k;
    for (int n = 0; n < kLanes; n += kDoubles) {
      vdouble planes[] = {splat(at[row_.level()]),
                          load_wide(gradients + n) - splat(at[row_.height()])};
      subtract_planes(at, row_.dim, {row_.tilt(), row_.slope()}, columns(), k + n, planes);
      const vdouble p = load_wide(weights + n), f = planes[0], t = planes[1];
      const auto none = p == vdouble{};
      store_narrow(slopes + n, where(none, p, p * f));
      store_narrow(tilts + n, where(none, p, p * t));
      store_narrow(scores + n, where(none, p, p * (f * t + splat(at[row_.pull()]))));
    }
    kept = select(kept == vfloat{}, kept, load(slopes));
    ds = load(scores);
  }

 private:
  Panel<float> panel(int64_t at) const { return {run_.scratch + at, layout_.key_row}; }

  const FitRow row_;
  double* const fits_;  // of the sequence's rows
};

class BackwardGradients {
 public:
  using Tile = BackwardTile<BackwardScores>;

  BackwardGradients(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        layout_(run.scratch_layout),
        keys_{run.scratch + layout_.keys, layout_.query_row} {}

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
      const vfloat scale = splat(float(tile.inverse_square_of(r)));
      for (int k = 0; k < keys; k += kLanes) store(row + k, load(row + k) * scale);
    }
    add_differences({ds.at, 1, ds.row}, tile.queries(), {keys_.at, keys_.row}, keys, head_dim,
                    tile.key_spans(), add_keys, dkeys);
    add_differences({ds.at, ds.row, 1}, {keys_.at, keys_.row}, tile.queries(), rows, head_dim,
                    tile.row_spans(), add_queries, dqueries);
    if (is_linear(spec_)) add_planes(tile, rows, keys, dkeys);
  }

 private:
  // What the keys are to the planes of the rows.
  void add_planes(const Tile& tile, int rows, int keys, const Panel<float>& dkeys) {
    const FitRow fit = tile.fit_row();
    const Panel<float> vectors{run_.scratch + layout_.vectors, layout_.query_row};
    const auto add = [&](const Panel<float>& weights, int from) {
      for (int r = 0; r < rows; ++r) {
        float* const to = vectors.at + r * vectors.row;
        for (int a = 0; a < fit.dim; ++a) to[a] = within_float(-tile.fit(r)[from + a]);
        std::fill(to + fit.dim, to + round_to_vectors(fit.dim), 0.0f);
      }
      multiply_spans({weights.at, 1, weights.row}, {vectors.at, vectors.row}, keys, fit.dim,
                     tile.key_spans(), true, dkeys);
    };
    add(tile.slope_weights(), fit.slope());
    add(tile.tilt_weights(), fit.tilt());
  }

  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  const BackwardScratch& layout_;
  const Panel<float> keys_;
  float* moments_[1] = {};
};

}  // namespace fovea::distance::cpu::FOVEA_TIER
