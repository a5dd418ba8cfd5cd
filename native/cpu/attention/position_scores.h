// Scores by distance (Dai et al., arXiv 1901.02860): products of rows of queries with keys of distances.
//
//   E[row][x] = <q_row + w, r_t(x)>,  t(x) = high - j - x;  S[row][k] += E[row][k + high - pos_row]
//
// where j is a tile's first key and `high` the position of its last row: a band of distances, in which each
// row takes the part that begins high - pos_row behind the band's beginning. E is a matrix product, the
// distances in the SIMD lanes, of which each block of kBlockRows rows computes what its rows take: five
// columns more than there are keys.
#pragma once

#include <algorithm>

#include "cpu/attention/backward_layout.h"
#include "cpu/attention/rows.h"
#include "cpu/product.h"
#include "ops/attention/attention.h"
#include "ops/attention/distances.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Rows [begin, begin + count) of queries as float32, with a bias of their head unless it is null, scaled.
inline void load_queries(const AttentionRows& rows, const Inputs& operands, const float* bias,
                         int64_t bias_stride, int64_t begin, int count, float scale,
                         const Panel<float>& to) {
  const Spec& spec = rows.spec();
  with_type(spec.dtype, [&](auto zero) {
    const auto* from = static_cast<const decltype(zero)*>(operands.query);
    if (bias == nullptr) {
      rows.load_rows(from, spec.query_stride, begin, count, spec.head_dim, scale, to.at, to.row);
      return;
    }
    rows.for_each_row(begin, begin + count, [&](int64_t row, int64_t i, int64_t head) {
      load_sum(from + rows.query_offset(spec.query_stride, i, head), bias + head * bias_stride,
               spec.head_dim, scale, to.at + (row - begin) * to.row);
    });
  });
}

// With the content bias.
inline void load_content_queries(const AttentionRows& rows, const Inputs& operands, int64_t begin,
                                 int count, float scale, const Panel<float>& to) {
  const bool biased = rows.spec().has_content_bias;
  load_queries(rows, operands, biased ? operands.content_bias : nullptr,
               rows.spec().content_bias_stride[0], begin, count, scale, to);
}

// Rows `row` of queries with the content bias as columns, `memory` having room for eight rows.
inline void pack_content_queries(const AttentionRows& rows, const Inputs& operands, const int64_t (&row)[8], float scale,
                                 const Panel<float>& memory, float* to, int64_t to_row) {
  const Spec& spec = rows.spec();
  if (!spec.has_content_bias) {
    with_query_type(spec.dtype, [&](auto zero) {
      const decltype(zero)* from[8];
      for (int r = 0; r < 8; ++r) {
        from[r] = static_cast<const decltype(zero)*>(operands.query) + rows.query_offset(spec.query_stride, row[r]);
      }
      pack_rows8(from, spec.head_dim, scale, to, to_row);
    });
    return;
  }
  const float* from[8];
  for (int r = 0; r < 8; ++r) {
    float* const at = memory.at + r * memory.row;
    load_content_queries(rows, operands, row[r], 1, scale, {at, memory.row});
    from[r] = at;
  }
  pack_rows8(from, spec.head_dim, 1.0f, to, to_row);
}

// The bands of a tile of rows and a tile of keys.
class PositionScores {
 public:
  // Of a worker, each row on a boundary of vectors.
  struct Memory {
    Panel<float> queries;  // of the tile's rows, with the position bias
    Panel<float> columns;  // bands, [head_dim][distance]
    Panel<float> scores;   // E
  };

  PositionScores(const AttentionRows& rows, const Inputs& operands, const Memory& memory)
      : rows_(rows),
        spec_(rows.spec()),
        operands_(operands),
        memory_(memory),
        seen_(distances(spec_, rows.sequence().query_length, rows.sequence().key_length)) {}

  explicit operator bool() const { return spec_.has_position_keys; }

  // How many: members of a group may share theirs.
  int64_t bands() const { return position_bands(spec_); }

  // Takes rows [begin, begin + count).
  void load_rows(int64_t begin, int count, float scale) {
    begin_ = begin;
    low_ = rows_.position(begin);
    high_ = rows_.position(begin + count - 1);
    const bool biased = spec_.has_position_bias;
    load_queries(rows_, operands_, biased ? operands_.position_bias : nullptr,
                 spec_.position_bias_stride[0], begin, count, scale, memory_.queries);
  }

  // Takes keys [j, j + count), whose bands are still to be loaded.
  void start_keys(int64_t j, int count) {
    key_ = j;
    keys_ = count;
  }

  // A band as columns, in one of the places for them. Where no pair has a distance it is 0.
  void load_columns(int64_t band, int64_t place) {
    const Span there = seen_columns();
    float* const to = columns(place);
    if (there.begin < there.end) {
      with_type(spec_.dtype, [&](auto zero) {
        pack_columns(key_of<decltype(zero)>(band, there.begin), -spec_.position_keys_stride[0],
                     there.end - there.begin, spec_.head_dim, to + there.begin,
                     memory_.columns.row);
      });
    }
    const int64_t length = std::max<int64_t>(round_to_vectors(band_length()), there.end);
    for (int64_t d = 0; d < spec_.head_dim; ++d) {
      float* const row = to + d * memory_.columns.row;
      std::fill(row, row + there.begin, 0.0f);
      std::fill(row + there.end, row + length, 0.0f);
    }
  }

  // The same as rows, [distance][head_dim].
  void load_band(int64_t band, const Panel<float>& to) const {
    const Span there = seen_columns();
    std::fill_n(to.at, there.begin * to.row, 0.0f);
    std::fill(to.at + there.end * to.row, to.at + band_length() * to.row, 0.0f);
    with_type(spec_.dtype, [&](auto zero) {
      for (int x = there.begin; x < there.end; ++x) {
        load_row(key_of<decltype(zero)>(band, x), spec_.head_dim, 1.0f, to.at + x * to.row);
      }
    });
  }

  // E of those of rows [first, first + count) whose band it is, for keys [begin, end) of the tile, as far as
  // these see them.
  void compute(int64_t first, int count, int begin, int end, int64_t band, int64_t place) {
    const bool shared = bands() == 1;
    const Members rows = shared ? Members{0, 1, count} : members(first, count, band);
    first_ = first;
    origin_ = (begin + offset(first + count - 1)) / kLanes * kLanes;
    if (rows.count == 0) return;
    Span spans[kMostBlocks];
    int64_t length = 0;
    for (int r = 0; r < rows.count; r += kBlockRows) {
      const int64_t top = first + rows.begin + r * rows.step;
      const int64_t last = top + (std::min(kBlockRows, rows.count - r) - 1) * rows.step;
      const int64_t low = std::clamp<int64_t>(rows_.low(top) - key_, begin, end);
      const int64_t high = std::clamp<int64_t>(rows_.high(last) - key_, low, end);
      const int64_t from = low + offset(last) - origin_;
      const int64_t to = low < high ? high + offset(top) - origin_ : from;
      spans[r / kBlockRows] = {int(from), int(to)};
      length = std::max(length, to);
    }
    const Panel<float>& q = memory_.queries;
    const Panel<float>& e = memory_.scores;
    multiply({q.at + (first - begin_ + rows.begin) * q.row, rows.step * q.row, 1},
             {columns(place) + origin_, memory_.columns.row}, rows.count, int(length),
             int(spec_.head_dim), spans, {e.at + rows.begin * e.row, rows.step * e.row});
  }

  // Of what was computed last, those of a row: element k is that of key k of the tile.
  const float* scores(int64_t row) const {
    return memory_.scores.at + (row - first_) * memory_.scores.row + offset(row) - origin_;
  }

  // Adds to scores s[key][lane] of rows [first, last] what they have for keys [begin, end) of the tile; bands
  // are in the places of their numbers. Lanes behind the last row repeat it.
  template <int kWidth>
  void add_panel(int64_t first, int64_t last, int begin, int end, float* s) {
    for (int64_t band = 0; band < bands(); ++band) {
      compute(first, int(last - first + 1), begin, end, band, band);
    }
    for (int lane = 0; lane < kWidth; lane += 8) {
      const float* rows[8];
      for (int r = 0; r < 8; ++r) rows[r] = scores(std::min(first + lane + r, last)) + begin;
      for_each_block(rows, end - begin, [&](int64_t k, float8 more) {
        float* const at = s + (begin + k) * kWidth + lane;
        store8(at, load8(at) + more);
      });
    }
  }

  // The same for s[row][key] of rows [first, first + count) and all keys.
  void add_rows(int64_t first, int count, const Panel<float>& s) {
    for (int64_t band = 0; band < bands(); ++band) {
      load_columns(band, 0);
      compute(first, count, 0, keys_, band, 0);
    }
    for (int r = 0; r < count; ++r) {
      const float* const more = scores(first + r);
      float* const to = s.at + r * s.row;
      const int begin = within_keys(rows_.low(first + r)), end = within_keys(rows_.high(first + r));
      int k = begin;
      for (; k + 8 <= end; k += 8) store8(to + k, load8(to + k) + load8(more + k));
      for (; k < end; ++k) to[k] += more[k];
    }
  }

  // ---- what gradients need ----------------------------------------------------------------------

  // Rows of a member among some rows: begin, begin + step, ...
  struct Members {
    int64_t begin, step;
    int count;
  };
  Members members(int64_t first, int count, int64_t member) const {
    const int64_t group = rows_.group();
    const int64_t begin = (member - first % group + group) % group;
    return {begin, group, int(begin < count ? (count - begin + group - 1) / group : 0)};
  }

  // Where the band of a row begins: at the column of key 0.
  int64_t offset(int64_t row) const { return high_ - rows_.position(row); }
  int band_length() const { return int(keys_ + high_ - low_); }
  // Columns of distances that pairs have, and how far the first of them is from the largest distance.
  Span seen_columns() const {
    const auto column = [this](int64_t distance) {
      return int(std::clamp<int64_t>(high_ - key_ - distance, 0, band_length()));
    };
    const Span there = {column(seen_.high), column(seen_.low - 1)};
    return {there.begin, std::max(there.begin, there.end)};
  }
  int64_t from_largest(int64_t column) const { return seen_.high - (high_ - key_ - column); }
  const Panel<float>& queries() const { return memory_.queries; }
  int within_keys(int64_t key) const { return int(std::clamp<int64_t>(key - key_, 0, keys_)); }

 private:
  static constexpr int kMostBlocks = (fovea::cpu::kMostTileRows + kBlockRows - 1) / kBlockRows;

  float* columns(int64_t place) const {
    return memory_.columns.at + place * spec_.head_dim * memory_.columns.row;
  }

  // That of a column of a band.
  template <typename T>
  const T* key_of(int64_t band, int64_t column) const {
    const int64_t(&stride)[2] = spec_.position_keys_stride;
    const int64_t distance = high_ - key_ - column;
    return static_cast<const T*>(operands_.position_keys) +
           (spec_.position_origin + distance) * stride[0] + rows_.head(band) * stride[1];
  }

  const AttentionRows& rows_;
  const Spec& spec_;
  const Inputs& operands_;
  const Memory memory_;
  const Distances seen_;
  int64_t begin_ = 0, low_ = 0, high_ = 0;  // the first row; positions of the first and last
  int64_t key_ = 0;
  int keys_ = 0;
  int64_t first_ = 0, origin_ = 0;  // of E: its first row, and which column its first is
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
