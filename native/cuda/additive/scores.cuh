// The scores of a tile of query rows and keys, in shared memory:
//
//   sum_a w_a tanh(u_a) = sum_a w_a - 2 sum_a w_a / (1 + e^(2 u_a))
//   e^(2 (q + b + k)) = e^(2 (q + b)) e^(2 k)
//
// with the powers taken once for each row and each key, and four terms over one denominator.
//
// Error, with u = 2^-24: powers are right to 1.4 u each, their product and a denominator d to 2.8 u e^(2 u) / d
// and its rounding, u. Of a quotient of four terms the numerator takes 5 roundings, the denominator 3, and
// rcp.approx 1 ulp, 2 u. Times 2 / d, where d >= 1 and e^(2 u) / d^2 <= 1 / 4, that is at most 24 u for a term,
// if all of them conspire: |x - ref| <= 1.4e-6 sum_a |w_a|. The worst that the simulator's errors, up to
// what PTX allows, came to over N(0, 1) times 0.001 to 10 and A 1 to 1024 is 4.2e-7, below the 5e-7 of the
// CPU; root mean square 9e-8.
#pragma once

#include "core/constants.h"
#include "cuda/additive/params.h"
#include "cuda/additive/powers.cuh"
#include "cuda/pairs/tile_scores.cuh"

namespace fovea::additive::cuda {

template <typename Tile>
class Scores : public TileScores<Tile, AdditiveParams> {
  using Base = TileScores<Tile, AdditiveParams>;

 public:
  using Base::keeps_keys, Base::keeps_queries, Base::key, Base::key_of, Base::p, Base::query,
      Base::row_of, Base::rows, Base::score, Base::shared, Base::slot, Base::word;

  // Weights begin at `weights`, bytes behind the beginning of shared memory.
  FOVEA_DEVICE Scores(const AdditiveParams& params, const AttentionRows& of, uint32_t weights)
      : Base(params, of), weights_(shared() + weights) {}

  // Weights of a row's head, times its kDown.
  FOVEA_DEVICE uint32_t weight(int32_t row, int32_t a) const {
    return weights_ + 4 * (slot(row) * Tile::kPitch + a);
  }

  // What scores take of heads, those of the rows of the tile, which are new. A barrier stands before and
  // behind.
  FOVEA_DEVICE void load_heads() {
    keeps_queries = false;
    if (rows.head0 == head0_) return;
    head0_ = rows.head0;
    weights_begin_ = -1;
    bool any_apart = false;
    FOVEA_NO_UNROLL
    for (int32_t at = warp(); at < int32_t(p.heads.value); at += kWarps) {
      const float* const weight = p.weight + rows.head(at) * p.spec.weight_stride[0];
      float most = 0;
      double sum = 0;
      bool finite = true;
      FOVEA_NO_UNROLL
      for (int32_t a = lane(); a < p.head_dim; a += tile::kWarp) {
        const float w = tile::load_global(weight + a), magnitude = __builtin_fabsf(w);
        most = tile::maximum(most, magnitude);
        finite = finite && magnitude < tile::kInfinity;
        sum += double(w);
      }
      most = tile::warp_max(most);
      const bool apart = tile::any(!finite) || most >= 0x1p100f;
      const float total = tile::warp_sum(float(sum / kLn2));
      any_apart = any_apart || apart;
      if (lane() != 0) continue;
      // To a largest weight below one, so that denominators times weights stay finite.
      int32_t exponent = int32_t(tile::as_bits(most) >> 23) - 126;
      exponent = exponent < -100 ? -100 : exponent > 126 ? 126 : exponent;
      store_float(word(Tile::kScale, at), float(-2 / kLn2) * tile::power_of_two(exponent));
      store_float(word(Tile::kConstant, at), total);
      store_float(word(Tile::kDown, at), tile::power_of_two(-exponent));
      tile::store_shared(word(Tile::kHeadApart, at), uint32_t{apart});
    }
    set_warp_word(Tile::kAnyHeadApart, any_apart);
  }
  // The inverse of a row's kDown.
  FOVEA_DEVICE float up(int32_t row) const {
    const uint32_t down = tile::load_shared(word(Tile::kDown, slot(row))) >> 23;
    return tile::as_float((254 - down) << 23);  // both are powers of two
  }

  // Elements [begin, begin + kPart) of rows and keys as factors, zeros behind head_dim, rows and keys.
  // `first`: of a tile, which forgets what was far before.
  FOVEA_DEVICE void load_queries(int32_t begin, bool first) {
    float most = 0;
    bool any_far = false;
    tile::with_type(p.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      load_rows_of_warp<Element, Tile::kRows, Tile::kPart>(
          begin, p.head_dim,
          [&](int32_t row) {
            return row < rows.count ? static_cast<const Element*>(p.query) +
                                          rows.offset(p.spec.query_stride, rows.position(row),
                                                      rows.head(row))
                                    : nullptr;
          },
          [&](int32_t row, const auto& x) {
            const float* const bias =
                p.bias == nullptr ? nullptr : p.bias + rows.head(row) * p.spec.bias_stride[0];
            store_powers(x, begin, row < rows.count, bias, query(row, 0),
                         word(Tile::kRowFar, row), first, most, any_far);
          });
    });
    finish_load(Tile::kMostQuery, Tile::kAnyFarRow, first, most, any_far);
    load_weights(begin);
  }

  FOVEA_DEVICE void load_keys(int32_t first_key, int32_t begin, bool first) {
    float most = 0;
    bool any_far = false;
    tile::with_type(p.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const keys =
          static_cast<const Element*>(p.key) + rows.key_offset(p.spec.key_stride);
      const int32_t count = rows.key_length - first_key;
      load_rows_of_warp<Element, kKeys, Tile::kPart>(
          begin, p.head_dim,
          [&](int32_t at) {
            return at < count ? keys + (first_key + at) * p.spec.key_stride[1] : nullptr;
          },
          [&](int32_t at, const auto& x) {
            store_powers(x, begin, at < count, nullptr, key(at, 0),
                         shared() + Tile::kKeyFarAt + 4 * at, first, most, any_far);
          });
    });
    finish_load(Tile::kMostKey, Tile::kAnyFarKey, first, most, any_far);
  }

  // Scores of all pairs of the tile, in units of log2; those of rows and keys that are not there are
  // anything. Barriers stand before it changes shared memory, and behind.
  FOVEA_DEVICE void compute(int32_t first_key) {
    float total[Tile::kRowsEach][Tile::kKeysEach] = {};
    FOVEA_NO_UNROLL
    for (int32_t begin = 0; begin < p.head_dim; begin += Tile::kPart) {
      tile::sync_block();
      if (!keeps_queries) load_queries(begin, begin == 0);
      if (!keeps_keys) load_keys(first_key, begin, begin == 0);
      tile::sync_block();
      const int32_t left = p.head_dim - begin, width = left < Tile::kPart ? left : Tile::kPart;
      // Where it is not reached, the limit has no part in the bits.
      if (warp_words_max(Tile::kMostQuery) * warp_words_max(Tile::kMostKey) < 0.99f * kMostPower) {
        add_part<false>(width, total);
      } else {
        add_part<true>(width, total);
      }
    }
    FOVEA_UNROLL
    for (int r = 0; r < Tile::kRowsEach; ++r) {
      const int32_t head = slot(row_of(r));
      const float scale = load_float(word(Tile::kScale, head));
      const float constant = load_float(word(Tile::kConstant, head));
      FOVEA_UNROLL
      for (int c = 0; c < Tile::kKeysEach; ++c) {
        store_float(score(row_of(r), key_of(c)),
                    tile::fused_multiply_add(total[r][c], scale, constant));
      }
    }
    tile::sync_block();
    if (!has_apart()) return;
    each_apart(first_key, [&](int32_t row, int32_t at) {
      store_float(score(row, at), score_apart(row, first_key + at));
    });
    tile::sync_block();
  }

  // Whether the tile may have pairs whose scores are no sums of their factors: the same for all threads.
  FOVEA_DEVICE bool has_apart() const {
    return any_warp_word(Tile::kAnyHeadApart) ||
           (any_warp_word(Tile::kAnyFarRow) && any_warp_word(Tile::kAnyFarKey));
  }
  FOVEA_DEVICE bool is_apart(int32_t row, int32_t at) const {
    return tile::load_shared(word(Tile::kHeadApart, slot(row))) != 0 ||
           (tile::load_shared(word(Tile::kRowFar, row)) != 0 &&
            tile::load_shared(shared() + Tile::kKeyFarAt + 4 * at) != 0);
  }
  // Calls body(row, key of the tile) for them, each for one thread.
  template <typename Body>
  FOVEA_DEVICE void each_apart(int32_t first_key, Body body) const {
    FOVEA_NO_UNROLL
    for (int32_t pair = int32_t(tile::thread_index()); pair < rows.count * kKeys;
         pair += kThreads) {
      const int32_t row = pair / kKeys, at = pair % kKeys;
      if (first_key + at < rows.key_length && is_apart(row, at)) body(row, at);
    }
  }

  // One tanh, from what the caller gave.
  FOVEA_DEVICE float tanh_of(int32_t row, int32_t key, int32_t a) const {
    const int32_t head = rows.head(row);
    Sum x;
    float k;
    tile::with_type(p.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      x = {tile::widen(tile::load_global(
               static_cast<const Element*>(p.query) +
               rows.offset(p.spec.query_stride, rows.position(row), head) + a)),
           0};
      k = tile::widen(tile::load_global(static_cast<const Element*>(p.key) +
                                        rows.key_offset(p.spec.key_stride) +
                                        key * p.spec.key_stride[1] + a));
    });
    if (p.bias != nullptr) {
      x = add(x.high, tile::load_global(p.bias + head * p.spec.bias_stride[0] + a));
    }
    return tile::tanh_accurate((x.high + k) + x.low);
  }
  FOVEA_DEVICE float given_weight(int32_t row, int32_t a) const {
    return tile::load_global(p.weight + rows.head(row) * p.spec.weight_stride[0] + a);
  }

 private:
  // A part of a row, with a bias that may be null.
  template <typename Element, int kElements>
  FOVEA_DEVICE void store_powers(const Element (&x)[kElements], int32_t begin, bool there,
                                 const float* bias, uint32_t to, uint32_t far_word, bool first,
                                 float& most, bool& any_far) {
    bool far = false;
    FOVEA_UNROLL
    for (int i = 0; i < kElements; ++i) {
      const int32_t a = i * tile::kWarp + lane();
      float power = 0;
      if (there && begin + a < p.head_dim) {
        Sum sum{tile::widen(x[i]), 0};
        if (bias != nullptr) sum = add(sum.high, tile::load_global(bias + begin + a));
        far = far || __builtin_fabsf(sum.high) > kFar;
        power = power_of(sum);
        most = tile::maximum(most, power);
      }
      store_float(to + 4 * a, power);
    }
    far = tile::any(far);
    any_far = any_far || far;
    if (lane() != 0) return;
    if (first) {
      tile::store_shared(far_word, uint32_t{far});
    } else if (far) {
      tile::store_shared(far_word, uint32_t{1});
    }
  }

  FOVEA_DEVICE void finish_load(typename Tile::WarpWord most_word,
                                typename Tile::WarpWord far_word, bool first, float most,
                                bool any_far) {
    most = tile::warp_max(most);
    if (lane() == 0) store_float(warp_word(most_word, warp()), most);
    if (first || any_far) set_warp_word(far_word, any_far);
  }

  FOVEA_DEVICE void load_weights(int32_t begin) {
    if (begin == weights_begin_) return;
    weights_begin_ = begin;
    FOVEA_NO_UNROLL
    for (int32_t at = warp(); at < int32_t(p.heads.value); at += kWarps) {
      const float* const from = p.weight + rows.head(at) * p.spec.weight_stride[0];
      const float down = load_float(word(Tile::kDown, at));
      FOVEA_UNROLL
      for (int32_t i = 0; i < Tile::kPart; i += tile::kWarp) {
        const int32_t a = i + lane();
        store_float(weights_ + 4 * (at * Tile::kPitch + a),
                    begin + a < p.head_dim ? tile::load_global(from + begin + a) * down : 0.0f);
      }
    }
  }

  FOVEA_DEVICE uint32_t warp_word(typename Tile::WarpWord which, int32_t of) const {
    return shared() + Tile::kWarpWordsAt + 4 * (which * kWarps + of);
  }
  FOVEA_DEVICE void set_warp_word(typename Tile::WarpWord which, bool value) {
    if (lane() == 0) tile::store_shared(warp_word(which, warp()), uint32_t{value});
  }
  FOVEA_DEVICE float warp_words_max(typename Tile::WarpWord which) const {
    float most = 0;
    FOVEA_UNROLL
    for (int i = 0; i < kWarps; ++i) most = tile::maximum(most, load_float(warp_word(which, i)));
    return most;
  }
  FOVEA_DEVICE bool any_warp_word(typename Tile::WarpWord which) const {
    uint32_t any = 0;
    FOVEA_UNROLL
    for (int i = 0; i < kWarps; ++i) any |= tile::load_shared(warp_word(which, i));
    return any != 0;
  }

  // Adds w / (1 + q k) of the part for each pair of the thread. 64 terms at a time, so that none joins a
  // sum that is much larger.
  template <bool kLimit>
  FOVEA_DEVICE void add_part(int32_t width,
                             float (&total)[Tile::kRowsEach][Tile::kKeysEach]) const {
    if (row_of(0) >= rows.count) return;
    constexpr int32_t kNear = 64;
    FOVEA_NO_UNROLL
    for (int32_t from = 0; from < width; from += kNear) {
      const int32_t end = width < from + kNear ? width : from + kNear;
      float sum[Tile::kRowsEach][Tile::kKeysEach] = {};
      FOVEA_NO_UNROLL
      for (int32_t a = from; a < end; a += 4) {
        float k[Tile::kKeysEach][4];
        FOVEA_UNROLL
        for (int c = 0; c < Tile::kKeysEach; ++c) load_floats(key(key_of(c), a), k[c]);
        FOVEA_UNROLL
        for (int r = 0; r < Tile::kRowsEach; ++r) {
          float q[4], w[4];
          load_floats(query(row_of(r), a), q);
          load_floats(weight(row_of(r), a), w);
          FOVEA_UNROLL
          for (int c = 0; c < Tile::kKeysEach; ++c) add_terms<kLimit>(q, k[c], w, sum[r][c]);
        }
      }
      FOVEA_UNROLL
      for (int r = 0; r < Tile::kRowsEach; ++r) {
        FOVEA_UNROLL
        for (int c = 0; c < Tile::kKeysEach; ++c) total[r][c] += sum[r][c];
      }
    }
  }

  // w0 / d0 + w1 / d1 = (w0 d1 + w1 d0) / (d0 d1), and so again.
  template <bool kLimit>
  static FOVEA_DEVICE void add_terms(const float (&q)[4], const float (&k)[4], const float (&w)[4],
                                     float& sum) {
    float d[4];
    FOVEA_UNROLL
    for (int i = 0; i < 4; ++i) {
      d[i] = tile::fused_multiply_add(q[i], k[i], 1.0f);
      if constexpr (kLimit) d[i] = tile::minimum_or_nan(d[i], kMostPower);
    }
    const float d01 = d[0] * d[1], d23 = d[2] * d[3];
    const float n01 = tile::fused_multiply_add(w[1], d[0], w[0] * d[1]);
    const float n23 = tile::fused_multiply_add(w[3], d[2], w[2] * d[3]);
    const float n = tile::fused_multiply_add(n23, d01, n01 * d23);
    sum = tile::fused_multiply_add(n, tile::reciprocal_approx(d01 * d23), sum);
  }

  // Term by term.
  FOVEA_DEVICE float score_apart(int32_t row, int32_t key) const {
    double sum = 0;
    FOVEA_NO_UNROLL
    for (int32_t a = 0; a < p.head_dim; ++a) {
      sum += double(given_weight(row, a)) * double(tanh_of(row, key, a));
    }
    return float(sum / kLn2);
  }

  const uint32_t weights_;
  // Of which part weights are in shared memory, and those of which heads.
  int32_t weights_begin_ = -1, head0_ = -1;
};

}  // namespace fovea::additive::cuda
