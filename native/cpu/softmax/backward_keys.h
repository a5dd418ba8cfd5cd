// The backward pass of a chunk of keys: dkey and dvalue, and what the chunk adds to dquery.
#pragma once

#include <algorithm>

#include "cpu/softmax/backward_tile.h"

namespace fovea::cpu::FOVEA_TIER {

// `Gradients` is what an operation makes of the gradients of scores:
//   Tile                      its BackwardTile
//   start(rows)               before the first tile
//   row_sums()                where BackwardTile::weigh adds to
//   start_keys(j, count)      before the rows of a tile of keys, if there are any
//   load_keys(j, count)       takes keys, beside those that the tile took
//   add(...)                  adds the tile's to dkey and dquery
//   key_units()               what dkey is multiplied by, once all of it is summed
template <typename Gradients>
class BackwardKeys {
  using Tile = typename Gradients::Tile;
  using Op = typename Tile::Op;

 public:
  BackwardKeys(const BackwardRun<Op>& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of<Op>(run.plan)),
        tile_(run, work),
        gradients_(run, work),
        dkeys_{run.scratch + run.scratch_layout.dkeys, run.scratch_layout.query_row},
        dvalues_{run.scratch + run.scratch_layout.dvalues, run.scratch_layout.value_row},
        rows_(work.sequence.query_length * (spec_.query_heads / spec_.key_heads)) {}

  void run() {
    const int64_t length = work_.sequence.key_length, tile = run_.plan.tile_keys;
    if (work_.keys < work_.chunks) {
      start();
      // To and fro: under a causal mask the first tile of each turn has the most rows.
      for (int64_t turn = 0; turn * work_.chunks * tile < length; ++turn) {
        const int64_t place = turn % 2 == 0 ? work_.keys : work_.chunks - 1 - work_.keys;
        const int64_t j = (turn * work_.chunks + place) * tile;
        if (j < length) run_tile(j, int(std::min(tile, length - j)), turn == 0);
      }
    }
    if (work_.keys == 0 && !spec_.accumulate) clear(length);
  }

 private:
  void start() {
    const auto& workspace = run_.workspace_layout;
    const int64_t row = work_.keys * workspace.rows + work_.first_row;
    dqueries_ = {run_.workspace + workspace.dqueries + row * workspace.query_row,
                 workspace.query_row};
    gradients_.start(rows_);
  }

  // The first tile, which every chunk has, writes its rows of dquery, and zeros elsewhere; the
  // others add theirs.
  void run_tile(int64_t j, int count, bool first) {
    const int64_t last = tile_.row_high(j + count - 1);
    const int64_t tile = run_.plan.tile_queries;
    int64_t row = tile_.row_low(j);
    gradients_.start_keys(j, count);
    if (first) {
      const int64_t low = std::min(row, last);
      std::fill_n(dqueries_.at, low * dqueries_.row, 0.0f);
      std::fill_n(dqueries_.at + last * dqueries_.row, (rows_ - last) * dqueries_.row, 0.0f);
    }
    bool any = false;
    for (; row < last; row += tile) {
      const int rows = int(std::min(tile, last - row));
      if (tile_.next_key(row, row + rows, j) >= j + count) {
        if (first) std::fill_n(dqueries_.at + row * dqueries_.row, rows * dqueries_.row, 0.0f);
        continue;
      }
      if (!any) {
        tile_.load_keys(j, count);
        gradients_.load_keys(tile_, j, count);
      }
      run_rows(row, rows, count, any, !first);
      any = true;
    }
    if (!any) {  // nor need the keys be there, if no query sees them
      std::fill_n(dkeys_.at, count * dkeys_.row, 0.0f);
      std::fill_n(dvalues_.at, count * dvalues_.row, 0.0f);
    }
    write(j, count);
  }

  void run_rows(int64_t row, int rows, int keys, bool add, bool add_queries) {
    tile_.load_rows(row, rows);
    tile_.weigh(false, gradients_.row_sums());
    multiply_spans(tile_.weights_by_keys(), tile_.douts(), keys, int(spec_.value_head_dim),
                   tile_.key_spans(), add, dvalues_);
    gradients_.add(tile_, row, rows, keys, add, dkeys_, add_queries,
                   {dqueries_.at + row * dqueries_.row, dqueries_.row});
  }

  // The rows of dout behind dvalues were scaled by what dropout scales with.
  void write(int64_t j, int count) {
    with_type(spec_.gradient_dtype, [&](auto zero) {
      const auto rows = [&](void* to, const int64_t (&stride)[3], const Panel<float>& from,
                            int64_t columns, float scale) {
        auto* at = static_cast<decltype(zero)*>(to) + tile_.key_offset(stride, j);
        for (int k = 0; k < count; ++k) {
          if (k + kRowsAhead < count) prefetch_row(at + (k + kRowsAhead) * stride[1], columns);
          store_row(from.at + k * from.row, columns, scale, spec_.accumulate != 0,
                    at + k * stride[1]);
        }
      };
      rows(run_.operands.dkey, spec_.dkey_stride, dkeys_, spec_.head_dim, gradients_.key_units());
      rows(run_.operands.dvalue, spec_.dvalue_stride, dvalues_, spec_.value_head_dim, 1.0f);
    });
  }

  // The padding from key j on.
  void clear(int64_t j) {
    with_type(spec_.gradient_dtype, [&](auto zero) {
      const auto rows = [&](void* to, const int64_t (&stride)[3], int64_t columns) {
        for (int64_t k = j; k < work_.sequence.key_rows; ++k) {
          std::fill_n(static_cast<decltype(zero)*>(to) + tile_.key_offset(stride, k), columns,
                      zero);
        }
      };
      rows(run_.operands.dkey, spec_.dkey_stride, spec_.head_dim);
      rows(run_.operands.dvalue, spec_.dvalue_stride, spec_.value_head_dim);
    });
  }

  const BackwardRun<Op>& run_;
  const BackwardWork& work_;
  const typename Op::Spec& spec_;
  Tile tile_;
  Gradients gradients_;
  const Panel<float> dkeys_, dvalues_;
  const int64_t rows_;
  Panel<float> dqueries_{};
};

}  // namespace fovea::cpu::FOVEA_TIER
