// What the gradients of a tile of scores give to keys of distances, to biases of queries, and to queries by
// keys of distances. With E[row][k + offset] the scores of position_scores.h, dE is dS shifted alike: a row of
// a member is one element further in its band than the member's row before. So element (row, x) of dE is
// dS.at[row * (dS.row + 1) + x - offset of the first row]: a matrix of another stride, read where it lies. What
// a block reads beside a row of dS has to be 0, and is: the ends of rows, and a cache line before the first.
#pragma once

#include <algorithm>

#include "cpu/attention/backward_scores.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class PositionGradients {
 public:
  PositionGradients(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        work_(work),
        spec_(spec_of(run.plan)),
        layout_(run.scratch_layout),
        workspace_(run.workspace_layout),
        group_(spec_.query_heads / spec_.key_heads) {}

  // Before the first tile of a chunk.
  void start() const {
    const int64_t count =
        distances(spec_, work_.sequence.query_length, work_.sequence.key_length).count();
    for (int64_t member = 0; member < group_; ++member) {
      if (spec_.has_dposition_keys) {
        std::fill_n(positions(member).at, count * workspace_.query_row, 0.0f);
      }
      if (spec_.has_dposition_bias) std::fill_n(distance_sums(member), count, 0.0f);
    }
  }

  // Before the rows of a tile of keys.
  void start_keys(int64_t j, int count) const {
    for (int64_t member = 0; spec_.has_dcontent_bias && member < group_; ++member) {
      std::fill_n(key_sums(member, j), round_to_vectors(count), 0.0f);
    }
  }

  // Adds the tile's, rows [row, row + rows) against keys [j, j + keys).
  void add(const BackwardTile& tile, int64_t row, int rows, int64_t j, int keys,
           const Panel<float>& dqueries) const {
    const Panel<float> ds = tile.gradients();
    if (spec_.has_dcontent_bias) {
      for (int64_t member = 0; member < group_; ++member) {
        add_columns(tile.positions().members(row, rows, member), ds, keys, key_sums(member, j));
      }
    }
    if (!spec_.has_position_keys) return;
    clear_ends(ds, rows, keys);
    const bool shared = tile.positions().bands() == 1;
    if (shared) tile.positions().load_band(0, band());
    for (int64_t member = 0; member < group_; ++member) {
      const PositionScores::Members of = tile.positions().members(row, rows, member);
      if (of.count == 0) continue;
      if (!shared) tile.positions().load_band(member, band());
      const Shifted de(tile, ds, row, of);
      add_queries(tile, de, of, row, dqueries);
      if (spec_.has_dposition_keys) add_keys(tile, de, of, row, keys, member);
      if (spec_.has_dposition_bias) add_distances(tile, ds, of, row, member);
    }
  }

 private:
  // dE of a member's rows.
  struct Shifted {
    const float* at;
    int64_t row;

    Shifted(const BackwardTile& tile, const Panel<float>& ds, int64_t first,
            const PositionScores::Members& of)
        : at(ds.at + of.begin * ds.row - tile.positions().offset(first + of.begin)),
          row(of.step * ds.row + 1) {}
  };

  static void clear_ends(const Panel<float>& ds, int rows, int keys) {
    std::fill_n(ds.at - kBefore, kBefore, 0.0f);
    const int64_t end = round_to_vectors(keys);
    for (int r = 0; r < rows; ++r) std::fill(ds.at + r * ds.row + end, ds.at + (r + 1) * ds.row, 0.0f);
  }

  // sum_k dS[row][k] r_t.
  void add_queries(const BackwardTile& tile, const Shifted& de, const PositionScores::Members& of,
                   int64_t first, const Panel<float>& dqueries) const {
    const PositionScores& positions = tile.positions();
    Span spans[kRowBlocks];
    for (int r = 0; r < of.count; r += kBlockRows) {
      const int64_t top = first + of.begin + r * of.step;
      const int64_t last = top + (std::min(kBlockRows, of.count - r) - 1) * of.step;
      const int64_t low = positions.within_keys(tile.low(top));
      const int64_t high = positions.within_keys(tile.high(last));
      spans[r / kBlockRows] =
          low < high ? Span{int(low + positions.offset(last)), int(high + positions.offset(top))}
                     : Span{0, 0};
    }
    multiply_spans({de.at, de.row, 1}, {band().at, band().row}, of.count, int(spec_.head_dim),
                   spans, true,
                   {dqueries.at + of.begin * dqueries.row, of.step * dqueries.row});
  }

  // sum_row dS[row][k] (q_row + w), to the distance of k.
  void add_keys(const BackwardTile& tile, const Shifted& de, const PositionScores::Members& of,
                int64_t first, int keys, int64_t member) const {
    const PositionScores& positions = tile.positions();
    const Span seen = positions.seen_columns();
    const int columns = seen.end - seen.begin;
    Span spans[kColumnBlocks];
    const int64_t offset = positions.offset(first + of.begin);
    for (int x = 0; x < columns; x += kBlockRows) {
      const int64_t begin = seen.begin + x, last = begin + kBlockRows - 1;
      spans[x / kBlockRows] = {int(std::clamp<int64_t>(offset - last, 0, of.count)),
                               int(std::clamp<int64_t>(offset - begin + keys, 0, of.count))};
    }
    const Panel<float>& q = positions.queries();
    const Panel<float> to = this->positions(member);
    multiply_spans({de.at + seen.begin, 1, de.row},
                   {q.at + of.begin * q.row, of.step * q.row}, columns, int(spec_.head_dim), spans,
                   true, {to.at + positions.from_largest(seen.begin) * to.row, to.row});
  }

  // sum_row dS[row][k], to the distance of k.
  void add_distances(const BackwardTile& tile, const Panel<float>& ds,
                     const PositionScores::Members& of, int64_t first, int64_t member) const {
    const PositionScores& positions = tile.positions();
    for (int r = 0; r < of.count; ++r) {
      const int64_t at = of.begin + r * of.step;
      const int begin = positions.within_keys(tile.low(first + at));
      const int end = positions.within_keys(tile.high(first + at));
      const float* const from = ds.at + at * ds.row;
      float* const to =
          distance_sums(member) + positions.from_largest(positions.offset(first + at));
      int k = begin;
      for (; k + 8 <= end; k += 8) store8(to + k, load8(to + k) + load8(from + k));
      for (; k < end; ++k) to[k] += from[k];
    }
  }

  static void add_columns(const PositionScores::Members& of, const Panel<float>& ds, int keys,
                          float* to) {
    for (int k = 0; k < keys; k += kLanes) {
      vfloat sum{};
      for (int r = 0; r < of.count; ++r) sum += load(ds.at + (of.begin + r * of.step) * ds.row + k);
      store(to + k, load(to + k) + sum);
    }
  }

  // ---- memory -----------------------------------------------------------------------------------

  static constexpr int kBefore = 16;
  static constexpr int kRowBlocks = (fovea::cpu::kMostTileRows + kBlockRows - 1) / kBlockRows;
  static constexpr int kColumnBlocks =
      (fovea::cpu::kMostTileRows + fovea::cpu::kMostTileKeys) / kBlockRows + 1;

  Panel<float> band() const { return {run_.scratch + layout_.position_band, layout_.query_row}; }
  int64_t first_of(int64_t member) const {
    return workspace_.first_distance(spec_, work_.sequence, work_.batch, work_.keys,
                                     work_.key_head * group_ + member);
  }
  Panel<float> positions(int64_t member) const {
    return {run_.workspace + workspace_.positions + first_of(member) * workspace_.query_row,
            workspace_.query_row};
  }
  float* distance_sums(int64_t member) const {
    return run_.workspace + workspace_.distance_sums + first_of(member);
  }
  float* key_sums(int64_t member, int64_t key) const {
    return run_.workspace +
           workspace_.keys_of(workspace_.key_sums, spec_, work_.sequence, work_.batch,
                              work_.key_head * group_ + member) +
           key;
  }

  const BackwardRun& run_;
  const BackwardWork& work_;
  const Spec& spec_;
  const BackwardScratch& layout_;
  const BackwardWorkspace& workspace_;
  const int64_t group_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
