// The backward pass of a chunk of keys: dkey and dvalue, and what the chunk adds to dquery.
#pragma once

#include <algorithm>

#include "core/constants.h"
#include "cpu/attention/backward_tile.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class BackwardKeys {
 public:
  BackwardKeys(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        layout_(run.scratch_layout),
        tile_(run, work),
        keys_{run.scratch + layout_.keys, layout_.query_row},
        dkeys_{run.scratch + layout_.dkeys, layout_.query_row},
        dvalues_{run.scratch + layout_.dvalues, layout_.value_row},
        rows_(work.sequence.query_length * (spec_.query_heads / spec_.key_heads)) {}

  void run() {
    const int64_t length = work_.sequence.key_length, tile = run_.plan.tile_keys;
    if (work_.keys < work_.chunks) {
      start_dquery();
      // To and fro: under a causal mask the first tile of each turn has the most rows.
      for (int64_t turn = 0; turn * work_.chunks * tile < length; ++turn) {
        const int64_t place = turn % 2 == 0 ? work_.keys : work_.chunks - 1 - work_.keys;
        const int64_t j = (turn * work_.chunks + place) * tile;
        if (j < length) run_tile(j, int(std::min(tile, length - j)), turn == 0);
      }
    }
    if (work_.keys == 0 && !spec_of(run_.plan).accumulate) clear(length);
  }

 private:
  void start_dquery() {
    const BackwardWorkspace& workspace = run_.workspace_layout;
    const int64_t row = work_.keys * workspace.rows + work_.first_row;
    dqueries_ = {run_.workspace + workspace.dqueries + row * workspace.query_row,
                 workspace.query_row};
    if (!spec_of(run_.plan).has_dalibi_slopes) return;
    distances_ = run_.workspace + workspace.distances + row;
    std::fill_n(distances_, rows_, 0.0f);
  }

  // The first tile, which every chunk has, writes its rows of dquery, and zeros elsewhere; the
  // others add theirs.
  void run_tile(int64_t j, int count, bool first) {
    const int64_t last = tile_.row_high(j + count - 1);
    const int64_t tile = run_.plan.tile_queries;
    int64_t row = tile_.row_low(j);
    if (first) {
      const int64_t low = std::min(row, last);
      std::fill_n(dqueries_.at, low * dqueries_.row, 0.0f);
      std::fill_n(dqueries_.at + last * dqueries_.row, (rows_ - last) * dqueries_.row, 0.0f);
    }
    if (row < last) {
      load_keys(j, count);
    } else {  // nor need the keys be there, if there is no query
      std::fill_n(dkeys_.at, count * dkeys_.row, 0.0f);
      std::fill_n(dvalues_.at, count * dvalues_.row, 0.0f);
    }
    for (bool add = false; row < last; row += tile, add = true) {
      run_rows(row, int(std::min(tile, last - row)), count, add, !first);
    }
    write(j, count);
  }

  void load_keys(int64_t j, int count) {
    tile_.load_keys(j, count);
    with_type(spec_.dtype, [&](auto zero) {
      const auto* key = static_cast<const decltype(zero)*>(run_.operands.key) +
                        tile_.key_offset(spec_.key_stride, j);
      for (int k = 0; k < count; ++k) {
        load_row(key + k * spec_.key_stride[1], spec_.head_dim, 1.0f, keys_.at + k * keys_.row);
      }
    });
  }

  void run_rows(int64_t row, int rows, int keys, bool add, bool add_queries) {
    const int head_dim = int(spec_.head_dim), value_head_dim = int(spec_.value_head_dim);
    const Panel<float> dqueries = {dqueries_.at + row * dqueries_.row, dqueries_.row};
    tile_.load_rows(row, rows);
    tile_.weigh(false, distances_);
    const Panel<float> p = tile_.weights(), ds = tile_.gradients();
    multiply_spans({p.at, 1, p.row}, tile_.douts(), keys, value_head_dim, tile_.key_spans(), add,
                   dvalues_);
    multiply_spans({ds.at, 1, ds.row}, tile_.queries(), keys, head_dim, tile_.key_spans(), add,
                   dkeys_);
    multiply_spans({ds.at, ds.row, 1}, {keys_.at, keys_.row}, rows, head_dim, tile_.row_spans(),
                   add_queries, dqueries);
  }

  // The queries behind dkeys were scaled for the units of S, the rows of dout by the scale of
  // dropout.
  void write(int64_t j, int count) {
    const Spec& gradients = spec_of(run_.plan);
    const float units = spec_.softcap > 0 ? 1.0f : float(kLn2);
    with_type(gradients.gradient_dtype, [&](auto zero) {
      const auto rows = [&](void* to, const int64_t(&stride)[3], const Panel<float>& from,
                            int64_t columns, float scale) {
        auto* at = static_cast<decltype(zero)*>(to) + tile_.key_offset(stride, j);
        for (int k = 0; k < count; ++k) {
          if (k + kRowsAhead < count) prefetch_row(at + (k + kRowsAhead) * stride[1], columns);
          store_row(from.at + k * from.row, columns, scale, gradients.accumulate != 0,
                    at + k * stride[1]);
        }
      };
      rows(run_.operands.dkey, gradients.dkey_stride, dkeys_, spec_.head_dim, units);
      rows(run_.operands.dvalue, gradients.dvalue_stride, dvalues_, spec_.value_head_dim, 1.0f);
    });
  }

  // The padding from key j on.
  void clear(int64_t j) {
    const Spec& gradients = spec_of(run_.plan);
    with_type(gradients.gradient_dtype, [&](auto zero) {
      const auto rows = [&](void* to, const int64_t(&stride)[3], int64_t columns) {
        for (int64_t k = j; k < work_.sequence.key_rows; ++k) {
          std::fill_n(static_cast<decltype(zero)*>(to) + tile_.key_offset(stride, k), columns,
                      zero);
        }
      };
      rows(run_.operands.dkey, gradients.dkey_stride, spec_.head_dim);
      rows(run_.operands.dvalue, gradients.dvalue_stride, spec_.value_head_dim);
    });
  }

  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  const BackwardScratch& layout_;
  BackwardTile tile_;
  const Panel<float> keys_, dkeys_, dvalues_;
  const int64_t rows_;
  Panel<float> dqueries_{};
  float* distances_ = nullptr;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
