// The scores of a backward tile: S = Q K^T, and what its modifiers make of that.
// The rows of Q are scaled as they are loaded.
#pragma once

#include <algorithm>
#include <limits>

#include "cpu/attention/gates.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/position_scores.h"
#include "cpu/attention/score_modifier.h"
#include "cpu/attention/sparse_mask.h"
#include "cpu/softmax/backward_tile.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class BackwardScores : public AttentionRows {
 public:
  using Op = attention::cpu::Op;
  static constexpr int kRowSums = kRowOperands;

  BackwardScores(const BackwardRun& run, const BackwardWork& work)
      : AttentionRows(spec_of(run.plan), work.sequence, work.batch, work.key_head),
        run_(run),
        layout_(run.scratch_layout),
        chunk_(work.keys),
        modifier_(*this, run.operands),
        sparse_(*this, run.operands),
        gates_(*this, run.operands, run.scratch + run.scratch_layout.gates, run.scratch_layout.key_row),
        positions_(*this, run.operands,
                   {{run.scratch + layout_.position_queries, layout_.query_row},
                    {run.scratch + layout_.position_columns, layout_.column_row},
                    {run.scratch + layout_.position_scores, layout_.band_score_row}}),
        // The phase of rows takes some of them at a time, against all their keys.
        reach_(run.call.phase == kRowPhase
                   ? kInfinity
                   : modifier_.longest_reach(sequence_.query_length * group_)) {}

  int64_t next_key(int64_t begin, int64_t end, int64_t key) const {
    return sparse_.next_key(begin, end, key);
  }

  // Rows whose span ends before a key do not see it.
  int64_t row_high(int64_t key) const {
    const int64_t high = AttentionRows::row_high(key);
    const double last = double(key) + reach_;
    return last < double(sequence_.query_length + shift_) ? std::min(high, row_at(int64_t(last) + 1))
                                                          : high;
  }

  // What dquery is multiplied by, once all of it is summed.
  static float query_units(const Spec& spec) { return spec.scale; }
  static void finish_query(const BackwardRun&, int64_t, float*) {}

  Panel<const float> queries() const {
    return {run_.scratch + (kPairs ? layout_.joined_queries : layout_.queries), layout_.query_row};
  }

  const PositionScores& positions() const { return positions_; }

  // A sink is in the sum from the beginning.
  void start_statistics(int64_t row, int rows, float* maximum, double* sums) const {
    if (!spec_.has_sinks) return;
    for_each_row(row, row + rows, [&](int64_t at, int64_t, int64_t head) {
      const double sink = double(run_.operands.sinks[head]) / kLn2;
      maximum[at - row] = float(std::min<double>(sink, std::numeric_limits<float>::max()));
      sums[at - row] = sink == -kInfinity ? 0 : 1;
    });
  }

 protected:
  void load_keys(int64_t j, int count) {
    with_type(spec_.dtype, [&](auto zero) {
      const auto* key =
          static_cast<const decltype(zero)*>(run_.operands.key) + key_offset(spec_.key_stride, j);
      pack_steps(key, spec_.key_stride[1], count, spec_.head_dim, run_.scratch + layout_.transposed_keys,
                 layout_.key_row);
    });
    if (gates_) gates_.load_keys(j, count);
    if (positions_) positions_.start_keys(j, count);
  }

  void load_queries(int64_t row, int count) {
    const Panel<float> to = {run_.scratch + layout_.queries, layout_.query_row};
#if defined(__AVX512BF16__)
    load_pair_rows(*this, run_.operands.query, spec_.query_stride, row, count, spec_.head_dim,
                   [](int64_t) { return false; }, to, {run_.scratch + layout_.joined_queries, layout_.query_row});
#else
    const float scale = query_scale();
    load_content_queries(*this, run_.operands, row, count, scale, to);
    if (positions_) positions_.load_rows(row, count, scale);
#endif
  }
  float query_scale() const { return modifier_.query_scale(); }

  void compute(const Tile& tile, const Span* spans, const Panel<float>& s) {
    multiply({run_.scratch + layout_.queries, layout_.query_row, 1},
             {run_.scratch + layout_.transposed_keys, layout_.key_row}, tile.rows, tile.keys,
             int(spec_.head_dim) / Product::kTerms, spans, s);
    if (positions_) positions_.add_rows(tile.row, tile.rows, s);
  }

  bool is_plain(const Tile& tile) const {
    return !modifier_.is_active() && !gates_ &&
           sparse_.lets_all(tile.row, tile.row + tile.rows, tile.key, tile.keys);
  }

  using RowModifiers = ScoreModifier::Row;
  RowModifiers row_modifiers(int64_t i, int64_t head, int64_t key, int begin, int end,
                             float* s) const {
    float* const mask = run_.scratch + layout_.mask;
    ScoreModifier::Row all =
        modifier_.row(i, head, key, begin, end, s,
                      {run_.scratch + layout_.bias, mask, run_.scratch + layout_.program,
                       reinterpret_cast<int32_t*>(run_.scratch + layout_.buckets)});
    if (sparse_.is_given()) {
      if (all.mask == nullptr) std::fill(mask + begin, mask + round_to_vectors(end), 1.0f);
      sparse_.hide(i * group_ + head % group_, key, begin, end, mask);
      all.mask = mask;
    }
    return all;
  }
  vfloat modify(const RowModifiers& of, int k, vfloat x, vfloat& tanh, vfloat* toward) const {
    return modifier_.apply_row(of, k, x, tanh, toward);
  }
  static void refit(int, int, Span, vfloat, vfloat, vfloat&, vfloat&) {}
  vfloat slope(const RowModifiers& of, int k) const { return modifier_.program_slope(of, k); }
  // Adds the gradients of a row's scores, from key k of the tile on, to those of what is added by distance,
  // and those before softcap to what a program looked up.
  void gather(const RowModifiers& of, int64_t head, int k, vfloat ds, vfloat before_softcap) const {
    if (run_.call.phase != kKeyPhase) return;
    if (spec_.has_dmodifier_table) {
      modifier_.gather_table(of, k, before_softcap,
                             run_.workspace_layout.modifier_row(run_.workspace, spec_, chunk_,
                                                                batch_, head));
    }
    if (!spec_.has_drelative_table) return;
    double* const row =
        run_.workspace_layout.table_row(run_.workspace, spec_, chunk_, batch_, head);
    for (int lane = 0; lane < kLanes; ++lane) row[of.buckets[k + lane]] += double(ds[lane]);
  }

  void gate_douts(int64_t begin, int count, const Panel<float>& douts) const {
    if (spec_.output_gates_dtype == 0) return;
    float* const gates = run_.scratch + layout_.output_gates;
    for_each_row(begin, begin + count, [&](int64_t row, int64_t i, int64_t head) {
      const int64_t columns = spec_.value_head_dim;
      const int64_t loaded = load_output_gates(*this, run_.operands, i, head, columns, gates);
      apply_sigmoid(loaded, gates);
      multiply_gates(loaded, gates, columns, douts.at + (row - begin) * douts.row);
    });
  }
  const float* key_gates(int64_t head) const { return gates_ ? gates_.row(head) : nullptr; }
  // Adds what weights of keys from `key` on give to the gradients of their gates.
  void gather_gated(int64_t head, int64_t key, vfloat gated) const {
    if (!spec_.has_dkey_gates || run_.call.phase != kKeyPhase) return;
    const auto& workspace = run_.workspace_layout;
    float* const at = run_.workspace +
                      workspace.keys_of(workspace.gates, spec_, sequence_, batch_, head) + key;
    store(at, load(at) + gated);
  }

  const BackwardRun& run_;
  const BackwardScratch& layout_;
  const int64_t chunk_;  // of keys
  const ScoreModifier modifier_;
  const SparseMask sparse_;
  const KeyGates gates_;
  PositionScores positions_;
  const double reach_;  // of the longest span
};

using BackwardTile = fovea::cpu::FOVEA_TIER::BackwardTile<BackwardScores>;

}  // namespace fovea::attention::cpu::FOVEA_TIER
