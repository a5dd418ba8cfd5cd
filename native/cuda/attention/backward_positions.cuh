// The backward pass with keys of distances, but for dquery: dkey and dvalue of a tile of keys, dposition_keys of a
// tile of distances. A block owns what it sums, and computes the gradients of scores of a tile of rows and a tile
// of keys in the orientation of the forward, one after the other. By shared memory they become the first operand of
// products that sum over rows,
//   dvalue_j = sum_i w_ij dout_i, dkey_j = sum_i ds_ij (q_i + u);  dr_t = sum_i ds_i,pos_i - t (q_i + w)
// for which they lie there by keys, or by distances. The biases' gradients are sums over keys of the sums of a key's
// ds, and over distances of those of a distance's: parts of them, of each tile, are added up by another kernel.
#pragma once

#include "cuda/attention/backward_pairs.cuh"

namespace fovea::attention::cuda {

// Score gradients as their products take them: of float16, times a power of two for all the block has summed so far,
// so that the largest lies between 2^10 and 2^15.
template <Precision kPrecision, int kWarps>
struct BlockUnit {
  static constexpr bool kHalfRange = kPrecision == Precision::kFloat16;
  float inverse = kHalfRange ? 0x1p-60f : 1;  // what one of the sums is worth

  // `words` is shared memory for one of each warp. Threads meet.
  template <int kColumns, int kSums>
  FOVEA_DEVICE void apply(tile::Fragment<1, kColumns>& ds, tile::Fragment<1, kSums>& sums,
                          uint32_t words) {
    if constexpr (kHalfRange) {
      float most = 0;
      tile::each_element<1, kColumns>(
          [&](int i, int j, int e) { most = tile::maximum(most, __builtin_fabsf(ds[i][j][e])); });
      most = tile::warp_max(most);
      if (tile::thread_index() % tile::kWarp == 0) {
        tile::store_shared(words + 4 * (tile::thread_index() / tile::kWarp), tile::as_bits(most));
      }
      tile::sync_block();
      FOVEA_UNROLL
      for (int warp = 0; warp < kWarps; ++warp) {
        most = tile::maximum(most, tile::as_float(tile::load_shared(words + 4 * warp)));
      }
      if (most > 0x1p15f * inverse) {
        const float before = inverse;
        inverse = gradient_unit(most);
        tile::scale(sums, before / inverse);
      }
      tile::scale(ds, tile::power_of_two(127 - int32_t(tile::as_bits(inverse) >> 23)));
    }
  }
};

template <BackwardVariant kIt>
struct BackwardPositions : BackwardPairs<kIt> {
  using Base = BackwardPairs<kIt>;
  using Base::b, Base::p, Base::mine, Base::kKeyColumns, Base::kKeys, Base::kRows, Base::kThreads,
      Base::kPrecision, Base::kDimBytes, Base::kValueBytes, Base::kOffset;
  using Element = typename Base::Element;
  using Scores = tile::Fragment<1, kKeyColumns>;
  using Unit = BlockUnit<kPrecision, kIt.tile.queries.warps>;
  static_assert(Base::kM == 1 && Base::kTile.shares == 1 && kIt.tile.keys.keys() == kKeys);
  static constexpr int kWarps = Base::kTile.warps, kElements = 16 / int(sizeof(Element));
  static constexpr int kStoredOffset = kIt.stored_offset(), kWordsOffset = kIt.words_offset();
  static constexpr int kStoredBytes = kIt.stored_bytes();
  static constexpr int kKeyRowBytes = kIt.stored_row_bytes(kKeys);
  static constexpr int kDistances = kIt.distances();
  static constexpr int kDistanceRowBytes = kIt.stored_row_bytes(kDistances);
  // How the warps share dkey and dvalue: 16 keys each, and columns.
  static constexpr int kKeyParts = kKeys / 16, kColumnParts = kWarps / kKeyParts;
  static constexpr int kDimColumns = Base::kDim / 8 / kColumnParts;
  static constexpr int kValueColumns = Base::kValueDim / 8 / kColumnParts;
  static_assert(kWarps % kKeyParts == 0 && kWarps * kStagedBytes <= Base::kPositionQueries);

  FOVEA_DEVICE explicit BackwardPositions(const BackwardParams& params) : Base(params) {}

  // ---- dkey, dvalue, and the tile's part of dcontent_bias ---------------------------------------

  // A tile of keys of a pair of batch and key head, for all of its query heads.
  FOVEA_DEVICE void keys() {
    const AttentionItem at = locate_item(p);
    const int32_t tile = int32_t(at.tile), first_head = int32_t(at.key_head * p.key_group.value);
    tile::Fragment<1, kDimColumns> dkey = {};
    tile::Fragment<1, kValueColumns> dvalue = {};
    Unit unit;
    for (int32_t head = first_head; head < first_head + int32_t(p.key_group.value); ++head) {
      float columns[kKeyColumns][2] = {};
      bool any = false;
      const int32_t length = locate_pair(p, at.batch, uint32_t(head)).query_length;
      FOVEA_NO_UNROLL
      for (int32_t position = 0; position < length; position += kRows) {
        // Anew: held through the products, what is known of rows made 16 bits spill up to 32 bytes at D 128.
        AttentionRows rows = locate_pair(p, tile::opaque(at.batch), uint32_t(head));
        set_rows(rows, uint32_t(position) / kRows, kRows);
        Scores ds, weights;
        if (!this->template gradients<true>(ds, rows, tile, {false, nullptr, &weights})) continue;
        any = true;
        if (p.weight_factors != 0) {
          multiply_weights(weights, p, load_rows(this->shared_rows), mine.anew(), tile * kKeys);
        }
        FOVEA_UNROLL
        for (int j = 0; j < kKeyColumns; ++j) {
          columns[j][0] += ds[0][j][0] + ds[0][j][2];
          columns[j][1] += ds[0][j][1] + ds[0][j][3];
        }
        clear_dead_rows();
        unit.apply(ds, dkey, this->queries + kWordsOffset);
        tile::store_factors<kPrecision, kKeyRowBytes>(stored(0), weights, Base::warp_row());
        tile::store_factors<kPrecision, kKeyRowBytes>(stored(1), ds, Base::warp_row());
        tile::sync_block();
        const uint32_t key = Base::warp() % kKeyParts * 16, part = Base::warp() / kKeyParts;
        tile::add_transposed_product<kPrecision, kKeyRowBytes, kValueBytes, kRows>(
            dvalue, stored(0), key, this->douts, part * kValueColumns);
        tile::add_transposed_product<kPrecision, kKeyRowBytes, kDimBytes, kRows>(
            dkey, stored(1), key, this->queries, part * kDimColumns);
      }
      if (b.content_parts != nullptr) {
        store_content_part(columns, any, int64_t{at.batch} * p.tiles + tile, head);
      }
    }
    tile::sync_block();  // what the sums take the place of has been read
    store_keys({b.dkey, p.spec.gradient_dtype, p.head_dim, p.spec.accumulate != 0},
               p.spec.dkey_stride, dkey, unit.inverse, p.spec.scale, at);
    store_keys({b.dvalue, p.spec.gradient_dtype, p.value_head_dim, p.spec.accumulate != 0},
               p.spec.dvalue_stride, dvalue, 1, p.dropout_scale, at);
  }

  // ---- dposition_keys, and the tile's part of dposition_bias ------------------------------------

  // A tile of rows of position_keys, of a head or of the sum of all, over the batch.
  FOVEA_DEVICE void distances() {
    const int64_t item = p.first_item + tile::block_index();
    const int64_t tiles = (p.spec.position_count + kDistances - 1) / kDistances;
    const int32_t tile = int32_t(item % tiles), out_head = int32_t(item / tiles);
    const bool all = b.dposition_keys != nullptr && p.spec.dposition_keys_stride[1] == 0;
    const int32_t batches = int32_t(p.pairs / p.key_heads);
    tile::Fragment<1, Base::kDim / 8> sums = {};
    Unit unit;
    for (int32_t head = all ? 0 : out_head; head < (all ? p.query_heads : out_head + 1); ++head) {
      float column = 0;  // of the thread's distance
      for (int32_t batch = 0; batch < batches; ++batch) {
        add_sequence(sums, unit, column, batch, head, int64_t{tile} * kDistances);
      }
      if (b.position_parts != nullptr) store_position_part(column, tile, head);
    }
    if (b.dposition_keys == nullptr) return;
    tile::sync_block();
    const int64_t(&stride)[2] = p.spec.dposition_keys_stride;
    const int64_t first = int64_t{tile} * kDistances + Base::warp() * 16;
    tile::store_sums(
        {b.dposition_keys, p.spec.gradient_dtype, p.head_dim, false},
        this->queries + Base::warp() * kStagedBytes, sums, 0,
        [&](int, int, float x) { return x * (unit.inverse * weight_unit()) * p.spec.scale; },
        [&](uint32_t row) {
          const int64_t n = first + row;
          return tile::RowPlace{n < p.spec.position_count, n * stride[0] + out_head * stride[1]};
        });
  }

 private:
  FOVEA_DEVICE uint32_t stored(int which) const {
    return this->queries + kStoredOffset + which * kStoredBytes;
  }
  // Weights come times that, inverse.
  static FOVEA_DEVICE float weight_unit() { return tile::power_of_two(-kOffset); }

  // Zeroes the warp's rows of dout that see no key: a weight of zero times NaN is NaN.
  FOVEA_DEVICE void clear_dead_rows() const {
    using Swizzle = tile::Swizzle<kValueBytes / 16>;
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      if (this->row.lse2[0][h] != kDeadLse) continue;
      for (uint32_t chunk = tile::thread_index() % 4; chunk < kValueBytes / 16; chunk += 4) {
        const uint32_t at = this->douts + Swizzle::offset(mine.row(0, h), chunk);
        tile::store_shared_pair(at, 0, 0);
        tile::store_shared_pair(at + 8, 0, 0);
      }
    }
  }

  // sum_j c_j k_j, where c_j are the sums of the columns over the block.
  FOVEA_DEVICE void store_content_part(const float (&columns)[kKeyColumns][2], bool any,
                                       int64_t part, int32_t head) const {
    const uint32_t partial = stored(0), lane = tile::thread_index() % tile::kWarp;
    tile::sync_block();  // what was stored has been read
    FOVEA_UNROLL
    for (int j = 0; j < kKeyColumns; ++j) {
      FOVEA_UNROLL
      for (int e = 0; e < 2; ++e) {
        float sum = columns[j][e];
        FOVEA_UNROLL
        for (uint32_t mask = 4; mask < tile::kWarp; mask *= 2) sum += tile::shuffle_xor(sum, mask);
        if (lane < 4) {
          tile::store_shared(partial + 4 * (Base::warp() * kKeys + tile::fragment_column(j, e)),
                             tile::as_bits(sum));
        }
      }
    }
    tile::sync_block();
    float* const to = b.content_parts + (part * p.query_heads + head) * p.head_dim;
    using Swizzle = tile::Swizzle<kDimBytes / 16>;
    for (int32_t d = int32_t(tile::thread_index()); d < p.head_dim; d += kThreads) {
      float total = 0;
      for (int32_t key = 0; any && key < kKeys; ++key) {
        float sum = 0;
        FOVEA_UNROLL
        for (int warp = 0; warp < kWarps; ++warp) {
          sum += tile::as_float(tile::load_shared(partial + 4 * uint32_t(warp * kKeys + key)));
        }
        if (sum == 0) continue;  // a key that no query sees may be NaN
        total = tile::fused_multiply_add(
            sum, element(this->ring_base + Swizzle::offset(key, d / kElements), d % kElements),
            total);
      }
      tile::store_global(to + d, total * weight_unit());
    }
  }

  // An element of a chunk of 16 bytes.
  static FOVEA_DEVICE float element(uint32_t chunk, int index) {
    uint32_t words[4];
    tile::load_shared_quad(chunk, words);
    float x = 0;
    FOVEA_UNROLL
    for (int e = 0; e < kElements; ++e) x = e == index ? tile::element<Element>(words, e) : x;
    return x;
  }

  // The keys of the block in dkey or dvalue. Keys of padding have gradients of zero.
  template <int kSums>
  FOVEA_DEVICE void store_keys(const tile::RowsOut& out, const int64_t (&stride)[3],
                               const tile::Fragment<1, kSums>& sums, float inverse, float factor,
                               const AttentionItem& at) const {
    const AttentionRows rows = locate_pair(p, at.batch, at.key_head * p.key_group.value);
    const AttentionRows of = rows_of_keys<true>(p, rows);
    const int32_t exist = out.add ? rows.key_length : key_rows(p, rows.batch);
    const int32_t first = int32_t(at.tile) * kKeys + int32_t(Base::warp() % kKeyParts) * 16;
    const int32_t own = first + int32_t(tile::thread_index() % tile::kWarp / 4);
    const float unit = inverse * weight_unit();
    tile::store_sums(
        out, this->queries + Base::warp() * kStagedBytes, sums,
        int(Base::warp() / kKeyParts) * kSums,
        // To the scale first: a product of both might overflow where the gradient does not.
        [&](int, int h, float x) {
          return own + 8 * h < rows.key_length ? x * unit * factor : 0.0f;
        },
        [&](uint32_t row) {
          const int32_t key = first + int32_t(row);
          return tile::RowPlace{key < exist, of.key_offset(stride) + key * stride[1]};
        });
  }

  // Adds what the rows of a head of a sequence give to the distances of rows [first, first + kDistances) of
  // position_keys.
  FOVEA_DEVICE void add_sequence(tile::Fragment<1, Base::kDim / 8>& sums, Unit& unit, float& column,
                                 int32_t batch, int32_t head, int64_t first) {
    const AttentionRows sequence = locate_pair(p, uint32_t(batch), uint32_t(head));
    const Distances seen =
        fovea::attention::distances(p.spec, sequence.query_length, sequence.key_length);
    const int64_t least = first - p.spec.position_origin, most = least + kDistances - 1;
    if (least > seen.high || most < seen.low) return;
    FOVEA_NO_UNROLL
    for (int32_t position = 0; position < sequence.query_length; position += kRows) {
      const int64_t at = int64_t{position} + sequence.shift(p);
      const int64_t low = at - most, high = at + kRows - 1 - least;  // keys
      if (high < 0 || low >= sequence.key_length) continue;
      const int64_t end = high < sequence.key_length ? high : sequence.key_length - 1;
      const int32_t last = int32_t(end / kKeys);
      FOVEA_NO_UNROLL
      for (int32_t tile = low <= 0 ? 0 : int32_t(low / kKeys); tile <= last; ++tile) {
        // Anew, as above.
        AttentionRows rows = locate_pair(p, tile::opaque(uint32_t(batch)), uint32_t(head));
        set_rows(rows, uint32_t(position) / kRows, kRows);
        Scores ds;
        if (!this->template gradients<true>(ds, rows, tile)) continue;
        unit.apply(ds, sums, this->queries + kWordsOffset);
        store_by_distance(ds, int32_t(at - least - int64_t{tile} * kKeys));
        tile::add_transposed_product<kPrecision, kDistanceRowBytes, kDimBytes, kRows>(
            sums, stored(0), Base::warp() * 16, this->queries + Base::kPositionQueries, 0);
        if (b.position_parts != nullptr) column += column_sum() * unit.inverse;
      }
    }
  }

  // `first` is which of the distances the first row and the first key have.
  FOVEA_DEVICE void store_by_distance(const Scores& ds, int32_t first) const {
    using Stored = tile::Swizzle<kDistanceRowBytes / 16>;
    const uint32_t to = stored(0);
    for (uint32_t n = tile::thread_index(); n < kRows * kDistanceRowBytes / 16; n += kThreads) {
      tile::store_shared_pair(to + 16 * n, 0, 0);
      tile::store_shared_pair(to + 16 * n + 8, 0, 0);
    }
    tile::sync_block();
    tile::each_element<1, kKeyColumns>([&](int, int j, int e) {
      const uint32_t row = mine.row(0, e / 2);
      const int32_t distance = first + int32_t(row) - tile::fragment_column(j, e % 2);
      if (distance < 0 || distance >= kDistances) return;
      const uint32_t at = to + Stored::offset(row, uint32_t(distance) / kElements) +
                          uint32_t(distance) % kElements * uint32_t(sizeof(Element));
      if constexpr (sizeof(Element) == 4) {
        tile::store_shared(at, tile::as_bits(ds[0][j][e]));
      } else {
        tile::store_shared(at, uint16_t(tile::pack<Element>(ds[0][j][e], 0)));
      }
    });
    tile::sync_block();
  }

  // Over the rows, of the distance that is the thread's.
  FOVEA_DEVICE float column_sum() const {
    using Stored = tile::Swizzle<kDistanceRowBytes / 16>;
    const uint32_t column = tile::thread_index();
    float sum = 0;
    if (column >= kDistances) return sum;
    FOVEA_NO_UNROLL
    for (uint32_t row = 0; row < kRows; ++row) {
      sum += element(stored(0) + Stored::offset(row, column / kElements), int(column % kElements));
    }
    return sum;
  }

  // sum_t c_t r_t.
  FOVEA_DEVICE void store_position_part(float column, int32_t tile, int32_t head) const {
    static_assert(kDistances <= kThreads && 4 * kDistances <= 2 * kStoredBytes);
    const uint32_t sums = stored(0);
    tile::sync_block();
    if (tile::thread_index() < kDistances) {
      tile::store_shared(sums + 4 * tile::thread_index(), tile::as_bits(column));
    }
    tile::sync_block();
    const int64_t(&stride)[2] = p.spec.position_keys_stride;
    const int64_t first = int64_t{tile} * kDistances;
    const auto* const keys = static_cast<const Element*>(p.position_keys) + head * stride[1];
    float* const to = b.position_parts + (int64_t{tile} * p.query_heads + head) * p.head_dim;
    for (int32_t d = int32_t(tile::thread_index()); d < p.head_dim; d += kThreads) {
      float total = 0;
      for (int32_t n = 0; n < kDistances; ++n) {
        const float sum = tile::as_float(tile::load_shared(sums + 4 * uint32_t(n)));
        if (sum == 0) continue;  // what no pair has may be NaN, or not there
        total = tile::fused_multiply_add(
            sum, tile::widen(tile::load_global(keys + (first + n) * stride[0] + d)), total);
      }
      tile::store_global(to + d, total * weight_unit());
    }
    tile::sync_block();
  }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kBackwardVariant<kVariant>.tile.queries.threads(),
                                 1) void backward_position_keys(const BackwardParams b) {
  BackwardPositions<kBackwardVariant<kVariant>>(b).keys();
}

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kBackwardVariant<kVariant>.tile.queries.threads(),
                                 1) void backward_positions(const BackwardParams b) {
  BackwardPositions<kBackwardVariant<kVariant>>(b).distances();
}

}  // namespace fovea::attention::cuda
