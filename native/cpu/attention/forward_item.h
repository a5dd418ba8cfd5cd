// One item of a plan: a tile of query rows against all the keys they see.
#pragma once

#include <algorithm>

#include "core/philox.h"
#include "cpu/attention/forward_results.h"
#include "cpu/attention/forward_tile.h"
#include "cpu/attention/key_rows.h"
#include "cpu/attention/pack_rows.h"
#include "cpu/attention/position_scores.h"
#include "cpu/attention/scale_scores.h"
#include "cpu/attention/score_modifier.h"
#include "cpu/attention/sparse_mask.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class ForwardItem : public ForwardResults {
 public:
  ForwardItem(const ForwardRun& run, const ForwardWork& work)
      : ForwardResults(run, work),
        call_(run.call),
        key_rows_(*this, run.operands),
        modifier_(*this, run.operands),
        sparse_(*this, run.operands),
        gates_(*this, run.operands, scratch_ + layout_.gates, plan_.tile_keys),
        positions_(*this, run.operands,
                   {{scratch_ + layout_.position_queries, layout_.position_row},
                    {scratch_ + layout_.position_columns, layout_.column_row},
                    {scratch_ + layout_.position_scores, layout_.position_score_row}}) {}

  // Rows [begin, end) of the sequence's query_length * group rows.
  void run(int64_t begin, int64_t end) {
    set_rows(begin, end);
    first_ = std::max(low(begin), modifier_.first_key(begin, end));
    last_ = high(end - 1);
    if (plan_.phases > 1) {
      if (call_.phase == 0) return run_part();
      add_parts(last_);
    } else {
      start();
      reset();
      for (int64_t part = first_ / kPartKeys; part * kPartKeys < last_; ++part) {
        sums_ = part > first_ / kPartKeys ? layout_.sums : 0;
        walk(part);
        if (sums_ > 0) add_part();
      }
      sums_ = 0;
    }
    for_each_panel([&](int panel, auto vectors) { finish<vectors()>(panel); });
    if (spec_.has_weights || spec_.has_top_weights) write_weights();
  }

 private:
  // What a step of a score takes of a row of such elements: pairs lie there as float32 does, but for tiles.
  template <typename T>
  using StepOf = std::conditional_t<kPairs && !kTiles, float, T>;

  // Where the first tile begins that has a key from `key` on which no gap of the mask hides.
  int64_t tile_at(int64_t key) const {
    return sparse_.next_key(row_begin_, row_begin_ + rows_, key) / plan_.tile_keys *
           plan_.tile_keys;
  }

  // ---- keys and values --------------------------------------------------------------------------

  // Those of few rows stay where they are.
  void load_keys(int64_t j, int count) {
    key_rows_.find(operands_.key, spec_.key_stride, j, first_, count, plan_.tile_keys, keys_at_);
    if (!few_) {
#if defined(FOVEA_TILES)
      key_rows_.find(operands_.value, spec_.value_stride, j, first_, count, plan_.tile_keys, values_at_);
      const int64_t value_bytes = row_bytes(spec_.value_head_dim);
      with_element_type([&](auto zero) {
        pack_keys<decltype(zero)>(keys_at_, Fetcher(values_at_, value_bytes, 0, count), lines_of(value_bytes), count,
                                  steps_, keys());
      });
#else
      with_element_type(
          [&](auto zero) { pack_keys<StepOf<decltype(zero)>>(keys_at_, count, steps_, keys()); });
#endif
    }
    if (spec_.has_key_scales) {
      key_rows_.load_scales(operands_.key_scales, spec_.key_scales_stride, j, first_, count, key_scales());
    }
    if (!positions_) return;
    positions_.start_keys(j, count);
    for (int64_t band = 0; band < positions_.bands(); ++band) positions_.load_columns(band, band);
  }
  void load_values(int64_t j, int count) {
    // Those that tiles pack were found with the keys.
    if (few_ || !kTiles) key_rows_.find(operands_.value, spec_.value_stride, j, first_, count, plan_.tile_keys, values_at_);
    const int64_t next = j + plan_.tile_keys;
    const int there = int(std::clamp<int64_t>(last_ - next, 0, plan_.tile_keys));
    if (few_ || kTiles) key_rows_.find(operands_.key, spec_.key_stride, next, first_, there, plan_.tile_keys, ahead_);
    if (!few_) {
#if defined(FOVEA_TILES)
      const int64_t key_bytes = row_bytes(spec_.head_dim);
      with_element_type([&](auto zero) {
        pack_value_columns<decltype(zero)>(values_at_, Fetcher(ahead_, key_bytes, 0, there), lines_of(key_bytes), count,
                                           spec_.value_head_dim, plan_.tile_keys / kStepKeys, values());
      });
#elif defined(__AVX512BF16__)
      pack_value_pairs(values_at_, count, spec_.value_head_dim, plan_.tile_keys / 2, values());
#else
      with_element_type([&](auto zero) {
        pack_values<decltype(zero)>(values_at_, count, spec_.value_head_dim, plan_.tile_keys, values());
      });
#endif
    }
    if (spec_.has_value_scales) {
      key_rows_.load_scales(operands_.value_scales, spec_.value_scales_stride, j, first_, count, value_scales());
    }
    if (gates_) gates_.load_keys(j, count);
  }

  // Calls body(T{}) with the type of values where they lie.
  template <typename Body>
  void with_element_type(Body body) const {
    if constexpr (kTiles) {
      with_tile_type(spec_.cache_dtype, body);
    } else if constexpr (kPairs) {
      body(bfloat16{});
    } else {
      with_cache_type(spec_.cache_dtype, body);
    }
  }

  int64_t row_bytes(int64_t columns) const {
    return columns / element_values(spec_.cache_dtype) * element_bytes(spec_.cache_dtype);
  }

  static int64_t lines_of(int64_t bytes) { return (bytes + 63) / 64; }

  // ---- the sums of rows -------------------------------------------------------------------------

  void start() {
    if (positions_) positions_.load_rows(row_begin_, rows_, scale_);
    for_each_panel([&](int panel, auto vectors) {
      const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
      const int64_t last = row_begin_ + panel_end(panel) - 1;
      for (int lane = 0; lane < vectors() * kLanes; lane += 8) {
        int64_t rows[8];
        for (int r = 0; r < 8; ++r) rows[r] = std::min(first + lane + r, last);
        float* const to = queries(panel) + lane;
#if defined(__AVX512BF16__)
        const char* pairs[8];
        const auto* const query = static_cast<const bfloat16*>(operands_.query);
        for (int r = 0; r < 8; ++r) {
          pairs[r] = reinterpret_cast<const char*>(query + query_offset(spec_.query_stride, rows[r]));
        }
        pack_row_pairs(pairs, steps_, to, vectors() * kLanes);
        for (int64_t c = steps_; c < whole_steps_; ++c) store8(to + c * vectors() * kLanes, float8{});
#else
        pack_content_queries(*this, operands_, rows, scale_, {scratch_ + layout_.biased, layout_.biased_row}, to,
                             vectors() * kLanes);
#endif
      }
    });
  }

  // ---- parts of the keys ------------------------------------------------------------------------

  // All keys of a part that the rows see.
  void walk(int64_t part) {
    reset();
    // A tile of keys starts at a multiple of its size, wherever a row's first key is: then a row's
    // result does not depend on the rows beside it.
    const int64_t last = std::min(last_, (part + 1) * kPartKeys);
    for (int64_t j = tile_at(std::max(first_, part * kPartKeys)); j < last; j = tile_at(j + plan_.tile_keys)) {
      const int count = int(std::min<int64_t>(plan_.tile_keys, last - j));
      load_keys(j, count);
      load_values(j, count);
      for_each_panel([&](int panel, auto vectors) { step<vectors()>(panel, j, count); });
    }
    if (few_) transpose_outputs();
  }

  void run_part() {
    const int64_t begin = work_.part * kPartKeys;
    const bool seen = begin < last_ && begin + kPartKeys > first_;
    if (seen) {
      start();
      walk(work_.part);
    } else {
      reset();
    }
    store_part();
  }

  // ---- a tile of keys ---------------------------------------------------------------------------

  // Scores of the panel against keys [j, j + count), ready for exp2; false if none is visible.
  // begin and end answer the range that was computed, from the tile's start.
  template <int kVectors>
  bool score(int panel, int64_t j, int count, int& begin, int& end) {
    constexpr int kWidth = kVectors * kLanes;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    const int64_t last = row_begin_ + panel_end(panel) - 1;
    const auto in_tile = [&](int64_t key) { return int(std::clamp<int64_t>(key - j, 0, count)); };
    begin = in_tile(low(first));
    end = in_tile(high(last));
    if (begin >= end || sparse_.next_key(first, last + 1, j + begin) >= j + end) return false;
    const bool whole = sparse_.lets_all(first, last + 1, j + begin, end - begin);
    // Keys that every row sees need no mask; what is left of them and right of them does.
    int clear_begin = round_up(in_tile(low(last))),
        clear_end = in_tile(high(first)) / kGroup * kGroup;
    // Few rows have no part of a tile apart.
    const bool parted = few_ && (clear_begin > begin || clear_end < end || begin % kFewKeys != 0 || end % kFewKeys != 0);
    const bool modified = modifier_.is_active() || positions_ || !whole;
    if (modified || parted || clear_begin >= clear_end) clear_begin = clear_end = round_up(end);
    alignas(64) int32_t lows[kWidth], highs[kWidth];
    if (begin < clear_begin || clear_end < end) {
      for (int lane = 0; lane < kWidth; ++lane) {
        const int64_t row = std::min(first + lane, last);
        lows[lane] = in_tile(low(row));
        highs[lane] = in_tile(high(row));
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      const bool parts = !kTiles && v + 1 < kVectors;
      ends_[v] = parts ? std::min(end, round_up(in_tile(high(first + (v + 1) * kLanes - 1)))) : end;
    }
    float* s = scores_of_tile();
    std::fill_n(maximum(), kWidth, -kInfinity);
    const auto masked = [&](int from, int to) {
      if (from >= to) return;
      alignas(64) float unused[kWidth] = {};
      multiply_keys<kVectors>(panel, from, to, s, unused);
      if (positions_) positions_.template add_panel<kWidth>(first, last, from, to, s);
      if (modifier_.is_active()) {
        modifier_.apply_panel<kVectors>(first, last, j, from, to, s, relative(), program());
      }
      if (!whole) hide_gaps<kWidth>(first, last, j, from, to, s);
      mask<kVectors>(s, from, to, lows, highs, maximum());
    };
    masked(begin, std::min(clear_begin, end));
    if (clear_begin < clear_end) multiply_keys<kVectors>(panel, clear_begin, clear_end, s, maximum());
    masked(clear_end, end);
    return true;
  }

  // The products of keys [from, to), times their scales; raises `highest` to each row's largest.
  template <int kVectors>
  void multiply_keys(int panel, int from, int to, float* s, float* highest) {
    constexpr int kWidth = kVectors * kLanes;
    alignas(64) float unused[kWidth] = {};
    float* const unscaled = spec_.has_key_scales ? unused : highest;
    if (kVectors == 1 && few_) {
      with_element_type([&](auto zero) {
        with_few_rows(rows_, [&](auto rows) {
          fetcher_ = few_scores<rows(), StepOf<decltype(zero)>>(keys_at_, fetcher_, queries(panel), steps_, scale_,
                                                                from, to, s, unscaled);
        });
      });
    } else {
      int next = from / kGroup * kGroup;
      const auto multiply = [&](auto skipped) {
        const int end = round_up(std::min(to, ends_[skipped()]));
        if (next >= end) return;
        scores<kVectors, skipped()>(keys(), queries(panel), whole_steps_, scale_, next, end, s, unscaled);
        next = end;
      };
      multiply(std::integral_constant<int, 0>{});
      if constexpr (kVectors > 1) multiply(std::integral_constant<int, 1>{});
      if constexpr (kVectors > 2) multiply(std::integral_constant<int, 2>{});
    }
    if (!spec_.has_key_scales) return;
    scale_scores<kVectors>(s, from, to, [&](int key) { return broadcast(key_scales() + key); }, highest);
  }

  // What lies in gaps of the mask.
  template <int kWidth>
  void hide_gaps(int64_t first, int64_t last, int64_t j, int from, int to, float* s) const {
    const uint8_t* rows[kWidth];
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = std::min(first + lane, last);
      uint8_t* const all = seen() + lane * plan_.tile_keys;
      std::fill(all + from, all + to, uint8_t{1});
      sparse_.hide(row, j, from, to, all);
      rows[lane] = all + from;
    }
    hide_unseen<kWidth>(rows, from, to, s);
  }

  static int round_up(int keys) { return (keys + kGroup - 1) / kGroup * kGroup; }

  template <int kVectors>
  void step(int panel, int64_t j, int count) {
    constexpr int kWidth = kVectors * kLanes;
    int begin, end;
    if (few_) fetcher_ = Fetcher(values_at_, row_bytes(spec_.value_head_dim), 0, count);
    if (!score<kVectors>(panel, j, count, begin, end)) return;
    float* s = scores_of_tile();
    const bool weighted = spec_.dropout > 0 || gates_ || spec_.has_value_scales;
    if (kPairs && !weighted) {
      softmax_step<kVectors, kPairs>(s, begin, end, maximum(), m(panel), l(panel), alpha(), fetcher_);
    } else {
      softmax_step<kVectors>(s, begin, end, maximum(), m(panel), l(panel), alpha(), fetcher_);
    }
    if (spec_.dropout > 0) drop<kVectors>(panel, j, begin, end, s);
    if (gates_) gate<kVectors>(panel, begin, end, s);
    if (spec_.has_value_scales) {
      for (int k = begin; k < end; ++k) {
        const vfloat scale = broadcast(value_scales() + k);
        for (int v = 0; v < kWidth; v += kLanes) store(s + k * kWidth + v, load(s + k * kWidth + v) * scale);
      }
    }
    if (kPairs && weighted) pair_weights<kVectors>(s, begin, end);
    if (kVectors == 1 && few_) {
      with_element_type([&](auto zero) {
        with_few_rows(rows_, [&](auto rows) {
          few_accumulate<rows(), decltype(zero)>(values_at_, Fetcher(ahead_, row_bytes(spec_.head_dim), begin, end),
                                                 spec_.value_head_dim, s, begin, end, alpha(), few_outputs(),
                                                 few_row());
        });
      });
      return;
    }
    accumulate<kVectors>(values(), plan_.tile_keys / kStepKeys, layout_.value_groups, s, begin, ends_, alpha(),
                         outputs(panel));
  }

  // Sets dropped probabilities to zero; finish() scales the kept ones. A tile starts at a multiple
  // of 32 keys, the span of the generator's four calls.
  template <int kVectors>
  void drop(int panel, int64_t j, int begin, int end, float* p) {
    constexpr int kWidth = kVectors * kLanes;
    const uint32_t threshold = dropout_threshold(spec_.dropout);
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    for (int block = begin / 32; block * 32 < end; ++block) {
      for (int pair = 0; pair < 4; ++pair) {
        uint32_t x[4][kWidth];
        for (int lane = 0; lane < kWidth; ++lane) {
          const int64_t row = first + lane;
          x[0][lane] = uint32_t((j / 32 + block) * 4 + pair);
          x[1][lane] = uint32_t(row / group_);
          x[2][lane] = uint32_t(batch_ * spec_.query_heads + head(row));
          x[3][lane] = call_.dropout_offset;
        }
        philox4x32_10(x, call_.dropout_seed);
        for (int word = 0; word < 4; ++word) {
          for (int half = 0; half < 2; ++half) {
            const int k = block * 32 + word * 8 + pair * 2 + half;
            if (k < begin || k >= end) continue;
            for (int lane = 0; lane < kWidth; ++lane) {
              const uint32_t draw = half == 0 ? x[word][lane] & 0xffff : x[word][lane] >> 16;
              if (draw < threshold) p[k * kWidth + lane] = 0.0f;
            }
          }
        }
      }
    }
  }

  // Multiplies probabilities by the gates of their keys: not values, which heads of a group share.
  template <int kVectors>
  void gate(int panel, int begin, int end, float* p) {
    constexpr int kWidth = kVectors * kLanes;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    for (int lane = 0; lane < kWidth; lane += 8) {
      const float* rows[8];
      for (int r = 0; r < 8; ++r) rows[r] = gates_.row(head(first + lane + r)) + begin;
      for_each_block(rows, end - begin, [&](int64_t k, float8 gate) {
        float* const at = p + (begin + k) * kWidth + lane;
        store8(at, load8(at) * gate);
      });
    }
  }

  // A second pass over the keys, now that every row's maximum and sum are known.
  void write_weights() {
    clear_weights();
    for (int64_t j = tile_at(first_); j < last_; j = tile_at(j + plan_.tile_keys)) {
      const int count = int(std::min<int64_t>(plan_.tile_keys, last_ - j));
      load_keys(j, count);
      for_each_panel([&](int panel, auto vectors) { write_panel_weights<vectors()>(panel, j, count); });
    }
  }

  template <int kVectors>
  void write_panel_weights(int panel, int64_t j, int count) {
    int begin, end;
    if (score<kVectors>(panel, j, count, begin, end)) write_tile_weights<kVectors>(panel, j, begin, end);
  }

  const fovea_call& call_;
  const KeyRows key_rows_;
  const ScoreModifier modifier_;
  const SparseMask sparse_;
  const KeyGates gates_;
  PositionScores positions_;
  const int64_t steps_ = spec_.head_dim / Product::kTerms;  // of a score
  const int64_t whole_steps_ = round_to_steps(steps_);
  const float scale_ = modifier_.query_scale();
  int ends_[kPanelVectors];  // of the keys of a tile that any row of a vector sees
  int64_t first_ = 0, last_ = 0;  // the keys that the rows see lie between
  Fetcher fetcher_;  // of few rows: what is read next
  const char* keys_at_[kMostTileKeys];
  const char* values_at_[kMostTileKeys];
  const char* ahead_[kMostTileKeys];  // keys of the next tile, where they are fetched
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
