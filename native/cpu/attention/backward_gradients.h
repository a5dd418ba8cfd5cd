// dkey and dquery of attention, from the gradients of scores.
#pragma once

#include <algorithm>

#include "core/constants.h"
#include "cpu/attention/backward_positions.h"
#include "cpu/softmax/backward_keys.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class BackwardGradients {
 public:
  using Tile = BackwardTile;

  BackwardGradients(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        positions_(run, work),
        keys_{run.scratch + run.scratch_layout.keys, run.scratch_layout.query_row} {}

  void start(int64_t rows) {
    const BackwardWorkspace& workspace = run_.workspace_layout;
    const auto gradients = row_gradients(spec_, run_.operands);
    for (int s = 0; s < kRowOperands; ++s) {
      if (!gradients[s].wanted) continue;
      row_sums_[s] =
          run_.workspace + workspace.row_sums[s] + work_.keys * workspace.rows + work_.first_row;
      std::fill_n(row_sums_[s], rows, 0.0f);
    }
    const int64_t group = spec_.query_heads / spec_.key_heads;
    if (spec_.has_dmodifier_table) {
      std::fill_n(workspace.modifier_row(run_.workspace, spec_, work_.keys, work_.batch,
                                         work_.key_head * group),
                  group * spec_.modifier_columns, 0.0);
    }
    if (spec_.has_drelative_table) {
      std::fill_n(workspace.table_row(run_.workspace, spec_, work_.keys, work_.batch,
                                      work_.key_head * group),
                  group * spec_.relative_count, 0.0);
    }
    positions_.start();
  }
  float* const* row_sums() const { return row_sums_; }

  void start_keys(int64_t j, int count) const {
    positions_.start_keys(j, count);
    if (!spec_.has_dkey_gates) return;
    const int64_t group = spec_.query_heads / spec_.key_heads;
    for (int64_t h = work_.key_head * group; h < (work_.key_head + 1) * group; ++h) {
      std::fill_n(run_.workspace +
                      run_.workspace_layout.keys_of(run_.workspace_layout.gates, spec_,
                                                     work_.sequence, work_.batch, h) +
                      j,
                  round_to_vectors(count), 0.0f);
    }
  }

  void load_keys(const Tile& tile, int64_t j, int count) {
    key_ = j;
    with_type(spec_.dtype, [&](auto zero) {
      const auto* key = static_cast<const decltype(zero)*>(run_.operands.key) +
                        tile.key_offset(spec_.key_stride, j);
      load_steps(key, spec_.key_stride[1], count, spec_.head_dim, keys_);
    });
  }

  void add(const Tile& tile, int64_t row, int rows, int keys, bool add_keys, const Panel<float>& dkeys,
           bool add_queries, const Panel<float>& dqueries) {
    const int head_dim = int(spec_.head_dim);
    multiply_spans(tile.gradients_by_keys(), tile.queries(), keys, head_dim, tile.key_spans(), add_keys,
                   dkeys);
    multiply_spans(tile.gradients_by_rows(), {keys_.at, keys_.row}, rows, head_dim, tile.row_spans(),
                   add_queries, dqueries);
    positions_.add(tile, row, rows, key_, keys, dqueries);
  }

  // The queries were scaled for the units of S, but for those in pairs.
  float key_units() const {
    if constexpr (kPairs) return spec_.scale;
    return modifies_in_natural_units(spec_) ? 1.0f : float(kLn2);
  }

 private:
  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  const PositionGradients positions_;
  const Panel<float> keys_;
  int64_t key_ = 0;
  float* row_sums_[kRowOperands] = {};
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
