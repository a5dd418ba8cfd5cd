// kRowPhase of linear fits: the plane of each row's values, and that of its <dout, value>.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/distance/backward_scores.h"

namespace fovea::distance::cpu::FOVEA_TIER {

class FitTile {
  using Tile = BackwardTile<BackwardScores>;

 public:
  FitTile(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        tile_(run, work),
        fits_(spec_, run.scratch_layout.fit, run.scratch) {}

  // Rows [row, row + rows). A row that sees nothing gets lse = +inf, so that its weights are 0.
  void run(int64_t row, int rows) {
    row_ = row;
    rows_ = rows;
    float* const lse = run_.workspace + run_.workspace_layout.lse + work_.first_row + row;
    float* const rest = run_.workspace + run_.workspace_layout.rest + work_.first_row + row;
    float* const delta = run_.workspace + run_.workspace_layout.delta + work_.first_row + row;
    for (int r = 0; r < rows; ++r) {
      lse[r] = run_.operands.lse[tile_.lse_offset(row + r)];
      if (lse[r] == -kInfinity) lse[r] = kInfinity;
    }
    tile_.load_rows(row, rows);
    fits_.start(rows, tile_.fit(0));
    for_each_tile([this](int) { tile_.compute(); },
                  [this](int r, int64_t, int64_t, Span seen) {
                    fits_.find_nearest(r, seen, score(r), tile_.columns());
                  });
    for_each_tile([this](int) { tile_.compute_pairs(); },
                  [this](int r, int64_t i, int64_t head, Span seen) {
                    drop(r, tile_.draw_kept_keys(i, head), seen);
                    fits_.add(r, seen, score(r), gradient(r), tile_.columns());
                  });
    for (int r = 0; r < rows; ++r) {
      rest[r] = delta[r] = 0;
      if (lse[r] == kInfinity) continue;
      if (!fits_.sees(r)) {
        if (!std::isnan(lse[r])) lse[r] = kInfinity;
        continue;
      }
      fits_.solve(r, tile_.queries().at + r * tile_.queries().row, tile_.inverse_square_of(r));
      lse[r] = fits_.nearest(r);
      rest[r] = float(std::log2(fits_.sum(r)));
    }
  }

 private:
  float* score(int r) const { return tile_.weights().at + r * tile_.weights().row; }
  float* gradient(int r) const { return tile_.gradients().at + r * tile_.gradients().row; }

  template <typename Compute, typename Body>
  void for_each_tile(Compute compute, Body body) {
    const int64_t keys = run_.plan.tile_keys, end = tile_.high(row_ + rows_ - 1);
    for (int64_t j = tile_.low(row_) / keys * keys; j < end; j += keys) {
      const int count = int(std::min(keys, work_.sequence.key_length - j));
      tile_.load_keys(j, count);
      compute(count);
      tile_.for_each_row(row_, row_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
        body(int(row - row_), i, head, tile_.seen_by(i));
      });
    }
  }

  void drop(int r, const int32_t* kept, Span seen) const {
    if (kept == nullptr) return;
    for (int k = seen.begin / kLanes * kLanes; k < seen.end; k += kLanes) {
      store(gradient(r) + k, from_bits(bits(load(gradient(r) + k)) & load(kept + k)));
    }
  }

  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  Tile tile_;
  RowFits fits_;
  int64_t row_ = 0;
  int rows_ = 0;
};

inline void fit_item(const BackwardRun& run, const BackwardWork& work) {
  FitTile tile(run, work);
  for (int64_t row = work.begin; row < work.end; row += run.plan.tile_queries) {
    tile.run(row, int(std::min<int64_t>(run.plan.tile_queries, work.end - row)));
  }
}

}  // namespace fovea::distance::cpu::FOVEA_TIER
