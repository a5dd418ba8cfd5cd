// What becomes of a score between the two products, beside the softmax: what modifies it, and the masks.
// Written once for both orientations of a fragment. `Places` says which row and key an element is:
// RowPlaces (scores.cuh) where a thread has some keys of its rows, ColumnPlaces (backward_columns.cuh)
// where it has some rows of its keys.
#pragma once

#include "core/constants.h"
#include "cuda/attention/block_lists.cuh"
#include "cuda/attention/modifier_run.cuh"
#include "cuda/attention/params.h"
#include "cuda/softmax/rows.cuh"
#include "tile/convert.cuh"
#include "tile/fragment.cuh"

namespace fovea::attention::cuda {

// A row of scores, and what is asked of it beside its position.
enum class RowNeed { kPosition, kHead, kSlope };
struct PlacedRow {
  uint32_t index;  // among the rows of its warp, 32 at most
  bool exists;
  int32_t position, head;
  float slope;
};

FOVEA_DEVICE float load_slope(const AttentionParams& p, int32_t batch, int32_t head) {
  const int64_t(&stride)[2] = p.spec.alibi_slopes_stride;
  return tile::load_global(p.alibi_slopes + batch * stride[0] + head * stride[1]);
}

// What ALiBi multiplies the slope by, from the key's position minus the query's.
FOVEA_DEVICE float alibi_distance(const AttentionParams& p, int32_t difference) {
  const float distance = float(difference);
  return p.spec.causal || distance < 0 ? distance : -distance;
}

// The element of a row in a tensor [B~, Hq~, Sq~].
FOVEA_DEVICE float load_row_element(const float* from, const int64_t (&stride)[3],
                                    const AttentionRows& rows, int32_t position, int32_t head) {
  return tile::load_global(from + rows.score_offset(stride, position, head));
}

// How far a key is from where the weights of a span are 0. The distance first: the result is exact where
// it is small.
FOVEA_DEVICE float left_of_span(const AttentionParams& p, float span, int32_t difference) {
  return span + float(difference) + p.spec.span_ramp;
}

// The column of the relative table for the keys at a distance, their position minus the query's.
FOVEA_DEVICE int32_t relative_bucket(const AttentionParams& p, int32_t distance) {
  const int32_t reach = int32_t(p.spec.relative_width / 2), last = int32_t(p.spec.relative_count) - 1;
  distance = distance < -reach ? -reach : distance > reach ? reach : distance;
  const int32_t bucket = tile::load_global(p.relative_buckets + distance + reach);
  return bucket < 0 ? 0 : bucket > last ? last : bucket;
}

// s = -infinity where a key is not seen, and what else is given is 0 there: it reaches no sum, NaN or not.
template <int kM, int kColumns, typename... Others>
FOVEA_DEVICE void hide_score(int i, int j, int e, tile::Fragment<kM, kColumns>& s, Others&... others) {
  s[i][j][e] = -tile::kInfinity;
  ((others[i][j][e] = 0), ...);
}

// Of one load of a program: the derivatives of what it answers by what was found, and in which column.
template <int kM, int kColumns>
struct LoadGradients {
  int load;
  tile::Fragment<kM, kColumns> partial;
  int32_t column[kM][kColumns][4];
};

// Scale, a program, softcap, bias, ALiBi, what is added by distance, Gaussian, span and the masks that are operands, in
// this order. A pass for each: the compiler then holds one feature's addresses and slopes at a time, and the
// kernel does not spill.
//
// kTrees: with those of a tree, which kernels for caches alone have.
template <typename Places, bool kTrees = false>
struct ScoreModifier {
  const AttentionParams& p;
  const Places places;

  template <int kM, int kColumns>
  FOVEA_DEVICE void apply(tile::Fragment<kM, kColumns>& s) const {
    tile::scale(s, p.spec.scale);
    run_program(s, [](const ModifierRun&, int, int, int) {});
    if (p.spec.softcap != 0) {
      // A division of every score took a seventh of the kernel's instructions.
      const float cap = p.spec.softcap, inverse = 1.0f / cap;
      tile::change(s, [&](float x) { return cap * tile::tanh_accurate(x * inverse); });
    }
    add(s);
  }

  // And `ds`, a gradient of what they become, times the derivative by what they were, but for the scale:
  // that of a program, and that of softcap, 1 - tanh^2.
  template <int kM, int kColumns>
  FOVEA_DEVICE void apply(tile::Fragment<kM, kColumns>& s, tile::Fragment<kM, kColumns>& ds) const {
    tile::scale(s, p.spec.scale);
    run_program<true>(s, [&](const ModifierRun& run, int i, int j, int e) {
      ds[i][j][e] *= run.slope();
    });
    cap_and_add(s, ds);
  }

  // Likewise, but times the derivative by what a program has answered.
  template <int kM, int kColumns>
  FOVEA_DEVICE void apply(tile::Fragment<kM, kColumns>& s, tile::Fragment<kM, kColumns>& ds,
                          LoadGradients<kM, kColumns>& of) const {
    tile::scale(s, p.spec.scale);
    run_program<true>(s, [&](const ModifierRun& run, int i, int j, int e) {
      of.partial[i][j][e] = run.partial(of.load);
      of.column[i][j][e] = run.column(of.load);
    });
    cap_and_add(s, ds);
  }

 private:
  // visit(run, i, j, e) behind each element, with derivatives if they are wanted.
  template <bool kGradients = false, int kM, int kColumns, typename Visit>
  FOVEA_DEVICE void run_program(tile::Fragment<kM, kColumns>& s, Visit visit) const {
    if constexpr (!kRunsPrograms) return;
    if (p.modifier_program == nullptr) return;
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key(), shift = rows.shift(p);
    places.template each_row<RowNeed::kHead, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      ModifierRun run(p, rows.batch, row.head, row.position + shift);
      each_key([&](int i, int j, int e, int key) {
        s[i][j][e] = run.apply(s[i][j][e], first + key);
        if constexpr (kGradients) run.differentiate();
        visit(run, i, j, e);
      });
    });
  }

  template <int kM, int kColumns>
  FOVEA_DEVICE void cap_and_add(tile::Fragment<kM, kColumns>& s,
                                tile::Fragment<kM, kColumns>& ds) const {
    if (p.spec.softcap != 0) {
      const float inverse = 1.0f / p.spec.softcap;
      tile::each_element<kM, kColumns>([&](int i, int j, int e) {
        const float t = tile::tanh_accurate(s[i][j][e] * inverse);
        s[i][j][e] = p.spec.softcap * t;
        ds[i][j][e] *= tile::fused_multiply_add(-t, t, 1.0f);
      });
    }
    add(s, ds);
  }

  template <int kM, int kColumns, typename... Others>
  FOVEA_DEVICE void add(tile::Fragment<kM, kColumns>& s, Others&... others) const {
    if (p.spec.bias_dtype == FOVEA_FLOAT32) {
      add_bias<float>(s);
    } else if (p.spec.bias_dtype == FOVEA_FLOAT16) {
      add_bias<float16>(s);
    } else if (p.spec.bias_dtype == FOVEA_BFLOAT16) {
      add_bias<bfloat16>(s);
    }
    if (p.spec.has_alibi_slopes) add_alibi(s);
    if (p.has_rare_modifiers) add_rare(s, others...);
  }

  // Behind one question, since each costs an instruction or two of every kernel that has them.
  template <int kM, int kColumns, typename... Others>
  FOVEA_DEVICE void add_rare(tile::Fragment<kM, kColumns>& s, Others&... others) const {
    if (p.relative_table != nullptr) add_relative(s);
    if (p.gaussian_centers != nullptr) add_gaussian(s);
    if (p.spans != nullptr) add_span(s);
    if (p.mask != nullptr) hide(s, others...);
    if constexpr (kTrees) {
      if (p.tree_mask != nullptr) hide_branches(s);
    }
  }

  template <typename Bias, int kM, int kColumns>
  FOVEA_DEVICE void add_bias(tile::Fragment<kM, kColumns>& s) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key(), keys = rows.key_length - first;
    places.template each_row<RowNeed::kHead, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      const Bias* const bias = static_cast<const Bias*>(p.bias) + first +
                               rows.score_offset(p.spec.bias_stride, row.position, row.head);
      each_key([&](int i, int j, int e, int key) {
        if (key < keys) s[i][j][e] += tile::widen(tile::load_global(bias + key));
      });
    });
  }

  template <int kM, int kColumns>
  FOVEA_DEVICE void add_alibi(tile::Fragment<kM, kColumns>& s) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key() - rows.shift(p);
    places.template each_row<RowNeed::kSlope, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      const int32_t origin = first - row.position;
      each_key([&](int i, int j, int e, int key) {
        s[i][j][e] =
            tile::fused_multiply_add(row.slope, alibi_distance(p, origin + key), s[i][j][e]);
      });
    });
  }

  template <int kM, int kColumns>
  FOVEA_DEVICE void add_relative(tile::Fragment<kM, kColumns>& s) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key() - rows.shift(p);
    const int64_t(&stride)[2] = p.spec.relative_table_stride;
    places.template each_row<RowNeed::kHead, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      const float* const table = p.relative_table + row.head * stride[0];
      const int32_t origin = first - row.position;
      each_key([&](int i, int j, int e, int key) {
        s[i][j][e] += tile::load_global(table + relative_bucket(p, origin + key) * stride[1]);
      });
    });
  }

  template <int kM, int kColumns>
  FOVEA_DEVICE void add_gaussian(tile::Fragment<kM, kColumns>& s) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key();
    const float factor = -0.5f / (p.spec.gaussian_sigma * p.spec.gaussian_sigma);
    places.template each_row<RowNeed::kHead, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      const float center = load_row_element(p.gaussian_centers, p.spec.gaussian_centers_stride,
                                            rows, row.position, row.head);
      each_key([&](int i, int j, int e, int key) {
        const float d = float(first + key) - center;
        s[i][j][e] = tile::fused_multiply_add(d * d, factor, s[i][j][e]);
      });
    });
  }

  // The weight is multiplied by what falls from 1 to 0, that is, its logarithm is added to the score.
  template <int kM, int kColumns>
  FOVEA_DEVICE void add_span(tile::Fragment<kM, kColumns>& s) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key() - rows.shift(p);
    const float inverse = 1.0f / p.spec.span_ramp;
    places.template each_row<RowNeed::kHead, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      const float span =
          load_row_element(p.spans, p.spec.spans_stride, rows, row.position, row.head);
      const int32_t origin = first - row.position;
      each_key([&](int i, int j, int e, int key) {
        const float ratio = left_of_span(p, span, origin + key) * inverse;
        const float kept = ratio <= 0 ? 0.0f : tile::minimum_or_nan(ratio, 1.0f);
        s[i][j][e] = tile::fused_multiply_add(tile::log2_approx(kept), float(kLn2), s[i][j][e]);
      });
    });
  }

  template <int kM, int kColumns, typename... Others>
  FOVEA_DEVICE void hide(tile::Fragment<kM, kColumns>& s, Others&... others) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key(), keys = rows.key_length - first;
    places.template each_row<RowNeed::kHead, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      const uint8_t* const mask =
          p.mask + first + rows.score_offset(p.spec.mask_stride, row.position, row.head);
      each_key([&](int i, int j, int e, int key) {
        if (key < keys && tile::load_global(mask + key) == 0) hide_score(i, j, e, s, others...);
      });
    });
  }

  // What a tree hides, of the keys that the queries themselves are.
  template <int kM, int kColumns>
  FOVEA_DEVICE void hide_branches(tile::Fragment<kM, kColumns>& s) const {
    const AttentionRows rows = places.rows();
    const int32_t first = places.first_key() - (rows.key_length - rows.query_length);
    const auto columns = uint32_t(rows.query_length);
    const int64_t(&stride)[2] = p.spec.tree_mask_stride;
    places.template each_row<RowNeed::kPosition, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
      if (!row.exists) return;
      const uint8_t* const mask =
          p.tree_mask + first + rows.offset({stride[0], stride[1], 0}, row.position, 0);
      each_key([&](int i, int j, int e, int key) {
        if (uint32_t(first + key) < columns && tile::load_global(mask + key) == 0) {
          hide_score(i, j, e, s);
        }
      });
    });
  }
};

// Hides what lies in gaps of the mask. The keys of a place are fewer than 64. Each lane finds what one row sees,
// for all that have keys of that row: by each for its own rows, it was a quarter of the keys kernel's code.
template <typename Places, int kM, int kColumns, typename... Others>
FOVEA_DEVICE void hide_gaps(const AttentionParams& p, const Places& places,
                            tile::Fragment<kM, kColumns>& s, Others&... others) {
  const AttentionRows rows = places.rows();
  const int32_t first = places.warp_key(), mine = places.first_key() - first;
  const PlacedRow own = places.template row_of_lane<kM, kColumns>(rows);
  const uint64_t found =
      own.exists ? seen_keys(p, rows, own.head, own.position, first) : uint64_t{0};
  places.template each_row<RowNeed::kPosition, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
    const uint64_t seen = tile::shuffle(found, row.index) >> mine;
    if (!row.exists) return;
    each_key([&](int i, int j, int e, int key) {
      if ((seen >> key & 1) == 0) hide_score(i, j, e, s, others...);
    });
  });
}

// Hides what row or position does not let be seen. A pass for each bound that exists.
template <typename Places, int kM, int kColumns, typename... Others>
FOVEA_DEVICE void mask_scores(const AttentionParams& p, const Places& places,
                              tile::Fragment<kM, kColumns>& s, Others&... others) {
  const AttentionRows rows = places.rows();
  const int32_t first = places.first_key();
  places.template each_row<RowNeed::kPosition, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
    const int32_t high = rows.high(p, row.position) - first;
    each_key([&](int i, int j, int e, int key) {
      if (key >= high) hide_score(i, j, e, s, others...);
    });
  });
  if (!p.spec.has_window_left) return;
  places.template each_row<RowNeed::kPosition, kM, kColumns>(rows, [&](PlacedRow row, auto each_key) {
    const int32_t low = rows.low(p, row.position) - first;
    each_key([&](int i, int j, int e, int key) {
      if (key < low) hide_score(i, j, e, s, others...);
    });
  });
}

}  // namespace fovea::attention::cuda
