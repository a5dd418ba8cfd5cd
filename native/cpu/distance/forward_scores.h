// The scores of a forward tile, and the factors of its weights in a linear fit.
#pragma once

#include "cpu/distance/row_fits.h"
#include "cpu/distance/scores.h"

namespace fovea::distance::cpu::FOVEA_TIER {

class ForwardScores : public Scores {
 public:
  ForwardScores(const fovea_plan& plan, const Inputs& inputs, const fovea::cpu::Sequence& sequence,
                int64_t batch, int64_t key_head, float* scratch)
      : Scores(plan, inputs, sequence, batch, key_head, scratch),
        layout_(plan),
        row_{int(spec_.head_dim)},
        rows_(reinterpret_cast<double*>(scratch + layout_.fits)),
        fits_(spec_, layout_.fit, scratch) {}

 protected:
  template <typename Sweep>
  void prepare(int rows, Sweep sweep) {
    if (!is_linear(spec_)) return;
    fits_.start(rows, rows_);
    sweep([this](int r, Span seen, const float* s) { fits_.find_nearest(r, seen, s, columns()); });
    sweep([this](int r, Span seen, const float* s) { fits_.add(r, seen, s, nullptr, columns()); });
    for (int r = 0; r < rows; ++r) {
      fits_.solve(r, queries().at + r * queries().row, inverse_square_of(r));
    }
  }

  void weigh_keys(int r, int begin, int end, float* p) const {
    if (!is_linear(spec_)) return;
    const double* const fit = rows_ + r * row_.doubles();
    for (int k = begin; k < end; k += kDoubles) {
      vdouble factor[] = {splat(fit[row_.level()])};
      subtract_planes(fit, row_.dim, {row_.tilt()}, columns(), k, factor);
      const vdouble w = load_wide(p + k);
      store_narrow(p + k, where(w == vdouble{}, w, w * factor[0]));
    }
  }

 private:
  const ForwardScratch layout_;
  const FitRow row_;
  double* const rows_;
  RowFits fits_;
};

}  // namespace fovea::distance::cpu::FOVEA_TIER
