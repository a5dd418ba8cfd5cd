// Gradients of what is added to scores, and of gates of keys: dbias, drelative_table, dkey_gates and those of
// row operands are sums of the scores' gradients, or of their likes, computed once more for each of them. A
// block owns what it sums, so the order is fixed and nothing is added by two: broadcast dimensions are loops of
// the block. Not the fastest way to a dbias that nothing is summed into, but one way for every shape.
#pragma once

#include "cuda/attention/backward_pairs.cuh"

namespace fovea::attention::cuda {

template <BackwardVariant kIt>
struct BackwardBias : BackwardPairs<kIt> {
  using Base = BackwardPairs<kIt>;
  using Base::b, Base::p, Base::mine, Base::kM, Base::kKeyColumns, Base::kKeys, Base::kRows,
      Base::kThreads, Base::kRowWarps;
  static constexpr int kTableColumns = kIt.table_columns();

  FOVEA_DEVICE explicit BackwardBias(const BackwardParams& params) : Base(params) {}

  // A tile of keys for one batch index, head and tile of positions, or for all of a dimension that is
  // summed over: of dbias, or of dkey_gates, for which all positions are.
  FOVEA_DEVICE void bias() {
    const int64_t item = p.first_item + tile::block_index();
    const bool of_gates = b.dkey_gates != nullptr && item >= b.gates_begin;
    const KeyItem at(b, of_gates, of_gates ? item - b.gates_begin : item);
    tile::Fragment<kM, kKeyColumns> sums = {};
    for_each_head(at, [&](AttentionRows& rows) {
      for_each_tile(rows, at, [&] {
        tile::Fragment<kM, kKeyColumns> ds;
        if (!this->gradients(ds, rows, at.key_tile, {of_gates})) return;
        tile::add(sums, ds);
      });
    });
    if (of_gates) {
      int32_t start = 0, keys = p.key_length;
      if (p.spec.packed) {
        locate_packed(p.cu_seqlens_k, at.batch, p.key_length, p.spec.key_total, start, keys);
      }
      const int64_t(&stride)[2] = p.spec.dkey_gates_stride;
      store_column_sums(sums, at.key_tile,
                        b.dkey_gates + at.batch * stride[0] + at.head * stride[1] + start, keys);
    } else if (at.all_positions) {
      store_column_sums(sums, at.key_tile, row_of(at, 0), p.key_length);
    } else {
      store_sums(sums, at);
    }
  }

  // A tile of positions of a head, or all, for one operand with an element for each row; or columns of the
  // relative table of a head, a thread for each.
  FOVEA_DEVICE void row_operands() {
    const int64_t item = p.first_item + tile::block_index();
    if constexpr (kRunsPrograms) {
      if (b.dmodifier_table != nullptr && item >= b.loads_begin) return loads(item - b.loads_begin);
    }
    const bool table = b.drelative_table != nullptr && item >= b.table_begin;
    const RowOperand operand = is_of(item, kSpan) ? kSpan : is_of(item, kCenter) ? kCenter : kSlope;
    const RowSums& to = b.row_sums[operand];
    const RowItem at = table ? RowItem(p, item - b.table_begin) : RowItem(p, to, item - to.begin);
    float sums[kM][2] = {};
    // One loop for all: with one for each, the kernel was four times as long and spilled 24 bytes at D 128.
    for_each_head(at, [&](AttentionRows& rows) {
      for_each_tile(rows, at, [&] {
        const int32_t tiles = set_visible_tiles<kKeys>(rows, p), begin = rows.begin;
        for (int32_t tile = begin; tile < begin + tiles; ++tile) {
          tile::Fragment<kM, kKeyColumns> ds;
          if (!this->gradients(ds, rows, tile)) continue;
          if (table) {
            sums[0][0] += sum_column(ds, rows, tile * kKeys, at.first_column);
          } else if (operand == kSpan) {
            weigh<kSpan>(sums, ds, rows, tile * kKeys);
          } else if (operand == kCenter) {
            weigh<kCenter>(sums, ds, rows, tile * kKeys);
          } else {
            weigh<kSlope>(sums, ds, rows, tile * kKeys);
          }
        }
      });
    });
    if (table) {
      store_column(at, sums[0][0]);
    } else {
      store_row_sums(to, at, sums);
    }
  }

 private:
  // What a block sums over.
  struct Item {
    bool all_batches, all_heads, all_positions;
    int32_t batch, head;
    int32_t position;  // the tile's first
    int32_t key_tile;

    // Of tiles of positions, heads and batches, but for those that are summed over.
    FOVEA_DEVICE void place(const AttentionParams& p, int64_t item) {
      const int64_t tiles = all_positions ? 1 : (p.query_length + kRows - 1) / kRows;
      const int64_t heads = all_heads ? 1 : p.query_heads;
      position = int32_t(item % tiles) * kRows;
      head = int32_t(item / tiles % heads);
      batch = int32_t(item / tiles / heads);
    }
  };

  struct KeyItem : Item {
    FOVEA_DEVICE KeyItem(const BackwardParams& b, bool of_gates, int64_t item) {
      const AttentionParams& p = b.forward;
      const int64_t* const stride = of_gates ? p.spec.dkey_gates_stride : p.spec.dbias_stride;
      this->all_heads = stride[1] == 0;
      this->all_positions = of_gates || stride[2] == 0;
      // Sequences of a packed batch have rows and keys of their own.
      this->all_batches = p.spec.packed ? !of_gates && this->all_positions : stride[0] == 0;
      const int64_t key_tiles = (p.key_length + kKeys - 1) / kKeys;
      this->key_tile = int32_t(item % key_tiles);
      this->place(p, item / key_tiles);
    }
  };

  struct RowItem : Item {
    int32_t first_column = 0;  // of the relative table

    FOVEA_DEVICE RowItem(const AttentionParams& p, const RowSums& sums, int64_t item)
        : Item{sums.all_batches, sums.all_heads, sums.all_queries, 0, 0, 0, 0} {
      this->place(p, item);
    }
    FOVEA_DEVICE RowItem(const AttentionParams& p, int64_t item)
        : Item{true, false, true, 0, 0, 0, 0} {
      const int64_t parts = (p.spec.relative_count + kTableColumns - 1) / kTableColumns;
      this->head = int32_t(item / parts);
      first_column = int32_t(item % parts) * kTableColumns;
    }
  };

  // Columns of the table of a program for a head or all, a thread for each: a load after the other, over all
  // tiles.
  FOVEA_DEVICE void loads(int64_t item) {
    static_assert(kTableColumns <= kThreads);
    const int64_t(&stride)[2] = p.spec.dmodifier_table_stride;
    const int64_t parts = (p.spec.modifier_columns + kTableColumns - 1) / kTableColumns;
    const Item at{true, stride[0] == 0, true, 0, int32_t(item / parts), 0, 0};
    const int64_t first = item % parts * kTableColumns;
    float sum = 0;
    typename Base::Load of;
    const int count = count_loads(p);
    FOVEA_NO_UNROLL
    for (of.load = 0; of.load < count; ++of.load) {
      for_each_head(at, [&](AttentionRows& rows) {
        for_each_tile(rows, at, [&] {
          const int32_t tiles = set_visible_tiles<kKeys>(rows, p), begin = rows.begin;
          for (int32_t tile = begin; tile < begin + tiles; ++tile) {
            tile::Fragment<kM, kKeyColumns> ds;
            if (this->gradients(ds, rows, tile, {false, &of})) sum += sum_loads(ds, of, first);
          }
        });
      });
    }
    const int64_t column = first + tile::thread_index();
    if (tile::thread_index() >= kTableColumns || column >= p.spec.modifier_columns) return;
    tile::store_global(b.dmodifier_table + at.head * stride[0] + column * stride[1], sum);
  }

  // What a tile gives to the thread's column, of those from `first` on.
  FOVEA_DEVICE float sum_loads(const tile::Fragment<kM, kKeyColumns>& ds, const typename Base::Load& of,
                               int64_t first) const {
    constexpr uint32_t kPairs = kRows * kKeys / 2, kNone = 0xffff;
    static_assert(12 * kPairs <= Base::kRowsOffset && kTableColumns < kNone);
    const uint32_t elements = this->queries, columns = elements + 8 * kPairs;  // operands are no longer needed
    tile::sync_block();
    if (this->share() == 0) {
      tile::each_row<kM>([&](int i, int h) {
        FOVEA_UNROLL
        for (int j = 0; j < kKeyColumns; ++j) {
          const uint32_t pair =
              (mine.row(i, h) * kKeys + uint32_t(tile::fragment_column(j, 0))) / 2;
          uint32_t value[2], column[2];
          FOVEA_UNROLL
          for (int e = 0; e < 2; ++e) {
            const float x = ds[i][j][2 * h + e];
            const int64_t nth = of.column[i][j][2 * h + e] - first;
            // Not 0 times what is there, which may be NaN.
            value[e] = tile::as_bits(x == 0 ? x : x * of.partial[i][j][2 * h + e]);
            column[e] = x != 0 && nth >= 0 && nth < kTableColumns ? uint32_t(nth) : kNone;
          }
          tile::store_shared_pair(elements + 8 * pair, value[0], value[1]);
          tile::store_shared(columns + 4 * pair, column[0] | column[1] << 16);
        }
      });
    }
    tile::sync_block();
    float sum = 0;
    FOVEA_NO_UNROLL
    for (uint32_t pair = 0; pair < kPairs; ++pair) {
      const uint32_t column = tile::load_shared(columns + 4 * pair);
      const bool low = (column & 0xffff) == tile::thread_index(), high = column >> 16 == tile::thread_index();
      if (!low && !high) continue;
      uint32_t value[2];
      tile::load_shared_pair(elements + 8 * pair, value[0], value[1]);
      sum += (low ? tile::as_float(value[0]) : 0.0f) + (high ? tile::as_float(value[1]) : 0.0f);
    }
    return sum;
  }

  // The rows that the elements of a batch index lie in, padding included.
  FOVEA_DEVICE void locate_rows(const Item& at, int32_t& start, int32_t& positions) const {
    start = 0;
    positions = p.query_length;
    if (p.spec.packed) {
      locate_packed(p.cu_seqlens_q, at.batch, p.query_length, p.spec.query_total, start, positions);
    }
  }

  FOVEA_DEVICE bool is_of(int64_t item, RowOperand operand) const {
    return b.row_sums[operand].to != nullptr && item >= b.row_sums[operand].begin;
  }

  FOVEA_DEVICE void store_row_sums(const RowSums& to, const Item& at, const float (&sums)[kM][2]) {
    if (at.all_positions) {
      float sum = 0;
      tile::each_row<kM>([&](int i, int h) { sum += sums[i][h]; });
      sum = block_sum(this->share() == 0 ? sum : 0, this->ring_base, Base::kTile.warps);
      if (tile::thread_index() == 0) tile::store_global(row_sum(to, at, 0), sum);
      return;
    }
    int32_t start, positions;
    locate_rows(at, start, positions);
    tile::each_row<kM>([&](int i, int h) {
      float sum = sums[i][h];
      sum += tile::shuffle_xor(sum, 1);
      sum += tile::shuffle_xor(sum, 2);
      const int32_t position = at.position + int32_t(mine.row(i, h));
      if (this->share() == 0 && tile::thread_index() % 4 == 0 && position < positions) {
        tile::store_global(row_sum(to, at, int64_t{start} + position), sum);
      }
    });
  }

  FOVEA_DEVICE void store_column(const RowItem& at, float sum) {
    static_assert(kTableColumns <= kThreads);
    const int32_t thread = int32_t(tile::thread_index()), column = at.first_column + thread;
    if (thread >= kTableColumns || column >= p.spec.relative_count) return;
    const int64_t(&stride)[2] = p.spec.drelative_table_stride;
    tile::store_global(b.drelative_table + at.head * stride[0] + column * stride[1], sum);
  }

  // What a tile gives to the thread's column, of those from `first` on. Along a diagonal of it the distance
  // is the same: its threads sum these first.
  FOVEA_DEVICE float sum_column(const tile::Fragment<kM, kKeyColumns>& ds, const AttentionRows& rows,
                                int32_t first_key, int32_t first) const {
    constexpr int kDiagonals = kRows + kKeys - 1;
    constexpr int kTileBytes = 4 * kRows * kKeys;
    static_assert(kTileBytes + 8 * kDiagonals <= Base::kRowsOffset);
    const uint32_t elements = this->queries, sums = elements + kTileBytes;  // operands are no longer needed
    tile::sync_block();
    if (this->share() == 0) {
      tile::each_element<kM, kKeyColumns>([&](int i, int j, int e) {
        const uint32_t row = mine.row(i, e / 2), key = uint32_t(tile::fragment_column(j, e % 2));
        tile::store_shared(elements + 4 * (row * kKeys + key), tile::as_bits(ds[i][j][e]));
      });
    }
    tile::sync_block();
    const int32_t nearest = first_key - rows.position(0) - rows.shift(p) - (kRows - 1);
    for (int x = int(tile::thread_index()); x < kDiagonals; x += kThreads) {
      float along = 0;
      FOVEA_NO_UNROLL
      for (int row = 0; row < kRows; ++row) {
        const int key = x - (kRows - 1) + row;
        if (key < 0 || key >= kKeys) continue;
        along += tile::as_float(tile::load_shared(elements + 4 * uint32_t(row * kKeys + key)));
      }
      tile::store_shared_pair(sums + 8 * uint32_t(x), tile::as_bits(along),
                              uint32_t(relative_bucket(p, nearest + x)));
    }
    tile::sync_block();
    const int32_t column = first + int32_t(tile::thread_index());
    float sum = 0;
    FOVEA_NO_UNROLL
    for (int x = 0; x < kDiagonals; ++x) {
      uint32_t along, bucket;
      tile::load_shared_pair(sums + 8 * uint32_t(x), along, bucket);
      if (int32_t(bucket) == column) sum += tile::as_float(along);
    }
    return sum;
  }

  FOVEA_DEVICE static float* row_sum(const RowSums& to, const Item& at, int64_t position) {
    return to.to + at.batch * to.stride[0] + at.head * to.stride[1] + position * to.stride[2];
  }

  // Rows are the positions of a single head here.
  template <typename Body>
  FOVEA_DEVICE void for_each_head(const Item& at, Body body) {
    const int32_t batches = int32_t(p.pairs / p.key_heads);
    for (int32_t batch = at.all_batches ? 0 : at.batch;
         batch < (at.all_batches ? batches : at.batch + 1); ++batch) {
      for (int32_t head = at.all_heads ? 0 : at.head;
           head < (at.all_heads ? p.query_heads : at.head + 1); ++head) {
        AttentionRows rows = locate_pair(p, batch, divide(head, p.group));
        rows.group = {1, 1u << 31, 0};  // Divisor::of(1)
        rows.first_head = head;
        body(rows);
      }
    }
  }

  template <typename Body>
  FOVEA_DEVICE void for_each_tile(AttentionRows& rows, const Item& at, Body body) {
    const int32_t end = at.all_positions ? rows.query_length : at.position + 1;
    for (int32_t position = at.position; position < end; position += kRows) {
      set_rows(rows, uint32_t(position) / kRows, kRows);
      body();
    }
  }

  // Adds, of the thread's part of a tile, ds times the derivatives of scores by the row's element.
  template <RowOperand kOperand>
  FOVEA_DEVICE void weigh(float (&sums)[kM][2], tile::Fragment<kM, kKeyColumns>& ds,
                          const AttentionRows& rows, int32_t first_key) const {
    tile::each_row<kM>([&](int i, int h) {
      const int32_t row = int32_t(mine.row(i, h));
      if (row >= rows.count) return;
      const int32_t position = rows.position(row), head = rows.head(row);
      const int32_t origin = first_key - position - rows.shift(p);
      float element = 0;
      if constexpr (kOperand == kCenter) {
        element = load_row_element(p.gaussian_centers, p.spec.gaussian_centers_stride, rows,
                                   position, head);
      } else if constexpr (kOperand == kSpan) {
        element = load_row_element(p.spans, p.spec.spans_stride, rows, position, head);
      }
      tile::each_of_row(ds, i, h, [&](float x, int j, int e) {
        const int32_t column = tile::fragment_column(j, e);
        float toward;
        if constexpr (kOperand == kSlope) {
          toward = alibi_distance(p, origin + column);
        } else if constexpr (kOperand == kCenter) {
          const float sigma = p.spec.gaussian_sigma;
          toward = (float(first_key + column) - element) * (1.0f / (sigma * sigma));
        } else {
          const float left = left_of_span(p, element, origin + column);
          toward = left > 0 && left < p.spec.span_ramp ? 1.0f / left : 0.0f;
        }
        sums[i][h] = tile::fused_multiply_add(x, toward, sums[i][h]);
      });
    });
  }

  FOVEA_DEVICE float* row_of(const Item& at, int64_t position) const {
    const int64_t(&stride)[3] = b.forward.spec.dbias_stride;
    return b.dbias + at.batch * stride[0] + at.head * stride[1] + position * stride[2];
  }

  FOVEA_DEVICE void store_sums(const tile::Fragment<kM, kKeyColumns>& sums, const Item& at) {
    if (this->share() != 0) return;
    int32_t start, positions;
    locate_rows(at, start, positions);
    tile::each_row<kM>([&](int i, int h) {
      const int32_t position = at.position + int32_t(mine.row(i, h));
      if (position >= positions) return;
      float* const row = row_of(at, int64_t{start} + position) + at.key_tile * kKeys;
      FOVEA_UNROLL
      for (int j = 0; j < kKeyColumns; ++j) {
        const int32_t key = tile::fragment_column(j, 0);
        const int32_t left = p.key_length - at.key_tile * kKeys - key;
        if (left > 0) store_columns(row + key, sums[i][j][2 * h], sums[i][j][2 * h + 1], left > 1);
      }
    });
  }

  // Over the rows of a thread, of a warp and of the block, in this order; `to` is where the sum of key 0 of
  // `keys` goes.
  FOVEA_DEVICE void store_column_sums(const tile::Fragment<kM, kKeyColumns>& sums, int32_t key_tile,
                                      float* to, int32_t keys) {
    const uint32_t partial = this->ring_base;  // a float for each warp and key
    const uint32_t lane = tile::thread_index() % tile::kWarp;
    tile::sync_block();
    FOVEA_UNROLL
    for (int j = 0; j < kKeyColumns; ++j) {
      FOVEA_UNROLL
      for (int e = 0; e < 2; ++e) {
        float sum = 0;
        FOVEA_UNROLL
        for (int i = 0; i < kM; ++i) sum += sums[i][j][e] + sums[i][j][2 + e];
        FOVEA_UNROLL
        for (uint32_t mask = 4; mask < tile::kWarp; mask *= 2) sum += tile::shuffle_xor(sum, mask);
        if (this->share() == 0 && lane < 4) {
          tile::store_shared(partial + 4 * (this->warp() * kKeys + tile::fragment_column(j, e)),
                             tile::as_bits(sum));
        }
      }
    }
    tile::sync_block();
    const int32_t key = key_tile * kKeys + int32_t(tile::thread_index());
    if (tile::thread_index() >= kKeys || key >= keys) return;
    float sum = 0;
    for (int warp = 0; warp < kRowWarps; ++warp) {
      sum += tile::as_float(tile::load_shared(partial + 4 * (warp * kKeys + tile::thread_index())));
    }
    tile::store_global(to + key, sum);
  }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kBackwardVariant<kVariant>.tile.queries.threads(),
                                 1) void backward_bias(const BackwardParams b) {
  BackwardBias<kBackwardVariant<kVariant>>(b).bias();
}

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kBackwardVariant<kVariant>.tile.queries.threads(),
                                 1) void backward_row_operands(const BackwardParams b) {
  BackwardBias<kBackwardVariant<kVariant>>(b).row_operands();
}

}  // namespace fovea::attention::cuda
