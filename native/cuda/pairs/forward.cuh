// The forward of attention whose scores are no product of matrices: a block for a tile of query rows, which
// walks the keys that they see.
#pragma once

#include "cuda/pairs/row_softmax.cuh"
#include "cuda/softmax/top_weights.cuh"

namespace fovea::pairs::cuda {

// Sums of weights times values: see ForwardTile.
template <typename Scores>
class ValueSums {
  using Tile = typename Scores::Tile;

 public:
  FOVEA_DEVICE ValueSums(const Scores& scores) : scores_(scores), p_(scores.p) {}

  FOVEA_DEVICE void load_values(int32_t first_key) const {
    const AttentionRows& rows = scores_.rows;
    tile::with_type(p_.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const values =
          static_cast<const Element*>(p_.value) + rows.key_offset(p_.spec.value_stride);
      const int32_t count = rows.key_length - first_key;
      FOVEA_NO_UNROLL
      for (int32_t begin = 0; begin < width(); begin += Tile::kPart) {
        load_rows_of_warp<Element, kKeys, Tile::kPart>(
            begin, p_.value_head_dim,
            [&](int32_t at) {
              return at < count ? values + (first_key + at) * p_.spec.value_stride[1] : nullptr;
            },
            [&](int32_t at, const auto& x) {
              int32_t d = begin + lane();
              FOVEA_UNROLL
              for (const Element& element : x) {
                if (d < width()) store_float(value(at, d), tile::widen(element));
                d += tile::kWarp;
              }
            });
      }
    });
  }

  // Sums times the decay of their rows, plus what the tile adds.
  FOVEA_DEVICE void add() {
    FOVEA_UNROLL
    for (int r = 0; r < Tile::kSumRows; ++r) {
      const float decay = load_float(scores_.word(Tile::kBase, row(r)));
      each_column([&](int q, int e) { sums_[r][q][e] *= decay; });
    }
    FOVEA_NO_UNROLL
    for (int32_t key = 0; key < kKeys; key += 4) {
      float weights[Tile::kSumRows][4];
      FOVEA_UNROLL
      for (int r = 0; r < Tile::kSumRows; ++r) load_floats(scores_.score(row(r), key), weights[r]);
      FOVEA_UNROLL
      for (int q = 0; q < Tile::kSumQuads; ++q) {
        if (column(q) >= width()) continue;
        FOVEA_UNROLL
        for (int k = 0; k < 4; ++k) {
          float values[4];
          load_floats(value(key + k, column(q)), values);
          FOVEA_UNROLL
          for (int r = 0; r < Tile::kSumRows; ++r) {
            FOVEA_UNROLL
            for (int e = 0; e < 4; ++e) {
              sums_[r][q][e] = tile::fused_multiply_add(weights[r][k], values[e], sums_[r][q][e]);
            }
          }
        }
      }
    }
  }

  // Times the factor of their rows; zeros where there is none, not sums * 0, which may be NaN.
  FOVEA_DEVICE void store() const {
    const AttentionRows& rows = scores_.rows;
    const uint32_t thread = tile::thread_anew();  // columns held from the beginning cost 12 bytes of spills
    tile::with_type(p_.spec.out_dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      FOVEA_UNROLL
      for (int r = 0; r < Tile::kSumRows; ++r) {
        if (!exists(p_, rows, row(r, thread))) continue;
        const float factor = load_float(scores_.word(Tile::kBase, row(r, thread)));
        Element* const to =
            static_cast<Element*>(p_.out) +
            rows.offset(p_.spec.out_stride, rows.position(row(r, thread)), rows.head(row(r, thread)));
        each_column([&](int q, int e) {
          if (column(q, thread) + e >= p_.value_head_dim) return;
          tile::store_rounded(to + column(q, thread) + e, factor == 0 ? 0.0f : sums_[r][q][e] * factor);
        });
      }
    });
  }

 private:
  template <typename Body>
  static FOVEA_DEVICE void each_column(Body body) {
    FOVEA_UNROLL
    for (int q = 0; q < Tile::kSumQuads; ++q) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) body(q, e);
    }
  }
  FOVEA_DEVICE int32_t width() const { return (p_.value_head_dim + 3) / 4 * 4; }
  FOVEA_DEVICE uint32_t value(int32_t key, int32_t column) const {
    return scores_.shared() + Tile::kValuesAt + 4 * (key * width() + column);
  }
  static FOVEA_DEVICE int32_t row(int r, uint32_t thread = tile::thread_index()) {
    return int32_t(thread / Tile::kSumColumnThreads) + r * Tile::kSumRowThreads;
  }
  static FOVEA_DEVICE int32_t column(int q, uint32_t thread = tile::thread_index()) {
    return 4 * (int32_t(thread % Tile::kSumColumnThreads) + q * Tile::kSumColumnThreads);
  }

  const Scores& scores_;
  const typename Scores::Params& p_;
  float sums_[Tile::kSumRows][Tile::kSumQuads][4] = {};
};

// The weights of a tile of keys, or the largest of them, from its scores; zeros where none is seen.
template <typename Scores>
FOVEA_DEVICE void store_weights(const Scores& scores, const RowSoftmax<Scores>& softmax,
                                int32_t first_key, bool seen) {
  constexpr int kEach = 2 * RowSoftmax<Scores>::kPairs;
  const auto& p = scores.p;
  const AttentionRows& rows = scores.rows;
  const uint32_t row = uint32_t(softmax.row);
  const bool there = exists(p, rows, row);
  float x[kEach] = {};
  if (seen) {
    const bool dead = softmax.is_dead();
    const float share = 1 / softmax.sum;
    softmax.load(first_key, x);
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) {
      // Not 0 * share, which may be NaN.
      const bool weighs = !dead && softmax.sees(first_key + softmax.column(i / 2) + i % 2);
      x[i] = weighs ? softmax.weight(x[i]) * share : 0.0f;
    }
    if (p.top_weights != nullptr) {
      softmax.put(x);
      tile::sync_warp();
      FOVEA_NO_UNROLL
      for (int32_t k = 0; there && softmax.column(0) == 0 && k < kKeys; ++k) {
        TopWeights(p, rows, row).add(load_float(scores.score(softmax.row, k)), first_key + k);
      }
    }
  }
  if (!there || p.weights == nullptr) return;
  float* const to = p.weights + rows.score_offset(p.spec.weights_stride, rows.position(row),
                                                  rows.head(row));
  FOVEA_UNROLL
  for (int i = 0; i < kEach; ++i) {
    const int32_t key = first_key + softmax.column(i / 2) + i % 2;
    if (key < p.key_length) tile::store_global(to + key, x[i]);
  }
}

// `Scores` are those of a tile of rows and keys, in shared memory:
//   Tile, Params                          its ForwardTile; what the kernel is given
//   p, rows                               that, and the rows of the tile
//   load_heads()                          takes what heads have; a barrier stands before and behind
//   compute(first_key)                    scores in units of log2; barriers stand before and behind
//   keeps_queries                         says that shared memory has the rows that it needs
//   shared(), score(row, key), word(...)  addresses
//   weigh(softmax, P)                     with kFits: multiplies weights; a barrier is within
template <typename Scores>
FOVEA_DEVICE void run_forward(const typename Scores::Params& p) {
  using Tile = typename Scores::Tile;
  AttentionRows rows = locate_rows<Tile::kRows>(p);
  const int32_t tiles = set_visible_tiles<kKeys>(rows, p);
  Scores scores(p, rows, Tile::heads_at(p.value_head_dim));
  RowSoftmax<Scores> softmax(scores);
  const auto leads = [&] { return softmax.column(0) == 0; };  // of the threads of a row one stores
  if (tiles > 0) scores.load_heads();
  // Once for the sums, and again for the weights where they are wanted: two loops had the code of scores twice.
  FOVEA_NO_UNROLL
  for (bool again = false;; again = true) {
    ValueSums<Scores> sums(scores);  // in here: not held through the second walk
    FOVEA_NO_UNROLL
    for (int32_t tile = again ? 0 : rows.begin;; ++tile) {
      const int32_t first_key = tile * kKeys;
      const bool seen = tile >= rows.begin && tile < rows.begin + tiles;
      if (again ? first_key >= p.key_length : !seen) break;
      if (seen) scores.compute(first_key);
      if (again) {
        store_weights(scores, softmax, first_key, seen);
        continue;
      }
      scores.keeps_queries = p.head_dim <= Tile::kPart;
      float x[2 * RowSoftmax<Scores>::kPairs];
      const float decay = softmax.step(first_key, x);
      if constexpr (Scores::kFits) scores.weigh(softmax, x);
      softmax.store(first_key, x);
      if (leads()) store_float(scores.word(Tile::kBase, softmax.row), decay);
      sums.load_values(first_key);
      tile::sync_block();
      sums.add();
    }
    if (again) return;
    softmax.finish();
    const bool dead = softmax.is_dead();
    tile::sync_block();
    if (leads()) {
      store_float(scores.word(Tile::kBase, softmax.row),
                  dead ? 0.0f : p.dropout_scale / softmax.sum);
      if (p.lse != nullptr && exists(p, rows, uint32_t(softmax.row))) {
        const float lse = tile::fused_multiply_add(softmax.reference, float(kLn2),
                                                   tile::log2_approx(softmax.sum) * float(kLn2));
        tile::store_global(
            p.lse + rows.lse_offset(p, rows.position(softmax.row), rows.head(softmax.row)),
            dead ? -tile::kInfinity : lse);
      }
    }
    tile::sync_block();
    sums.store();
    if (p.weights == nullptr && p.top_weights == nullptr) return;
    if (p.top_weights != nullptr && leads() && exists(p, rows, uint32_t(softmax.row))) {
      TopWeights(p, rows, uint32_t(softmax.row)).clear();
    }
  }
}

}  // namespace fovea::pairs::cuda
