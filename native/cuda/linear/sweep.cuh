// What all sweeps have alike: a block has columns of the state of one key head, a panel for each warp, and
// takes them through the tokens chunk by chunk.
#pragma once

#include "cuda/linear/load.cuh"
#include "cuda/linear/tokens.cuh"

namespace fovea::linear::cuda {

template <typename Panel>
class Sweep {
 protected:
  static constexpr int kRows = Panel::kRows, kColumns = Panel::kColumns;

  // `columns` are those of the whole state.
  FOVEA_DEVICE Sweep(const ForwardParams& params, int32_t of_columns, bool has_queries = true)
      : Sweep(params, locate_item(params), of_columns, has_queries) {}

  // Calls take(chunk) for every chunk once load(chunk) has put it into shared memory.
  template <bool kRising, typename Load, typename Take>
  FOVEA_DEVICE void for_each_chunk(Load load, Take take) const {
    cuda::for_each_chunk<kRising, Panel::kTokens>(tokens, group(), [&](const Chunk& chunk) {
      tile::sync_block();
      load(chunk);
      tile::sync_block();
      take(chunk);
    });
  }

  FOVEA_DEVICE int32_t group() const { return int32_t(rows.group.value); }
  FOVEA_DEVICE bool has_decay() const { return p.has_decay; }
  FOVEA_DEVICE bool has_delta() const { return p.has_delta; }

  // ---- places in shared memory

  // Of a row of the state's rows, from the offset of its part of a chunk.
  FOVEA_DEVICE uint32_t row(int32_t part, int32_t n) const {
    return shared + uint32_t(part + 4 * n * Panel::kCapacity);
  }
  // Of a row of columns, where the thread's begin; and its own column.
  FOVEA_DEVICE uint32_t columns_of(int32_t part, int32_t n) const {
    return shared + uint32_t(part + 4 * (n * p.chunk.pitch + thread_column()));
  }
  FOVEA_DEVICE uint32_t own_of(int32_t part, int32_t n) const {
    return columns_of(part, n) + 4 * uint32_t(lane() % kColumns);
  }
  FOVEA_DEVICE void load_columns(int32_t part, int32_t n, float (&y)[kColumns]) const {
    load_quads(columns_of(part, n), 16, y);
  }
  FOVEA_DEVICE float number(int32_t part, int32_t n) const {
    return load_float(shared + uint32_t(part + 4 * n));
  }
  FOVEA_DEVICE Place rows_at(int32_t part, int32_t width) const {
    return {shared + uint32_t(part), Panel::kCapacity, 0, width, p.warps};
  }
  FOVEA_DEVICE Place columns_at(int32_t part) const {
    return {shared + uint32_t(part), p.chunk.pitch, first_column, columns, p.warps};
  }

  // ---- rows of a chunk in tensors of strides (batch, position, head) and in the workspace

  FOVEA_DEVICE int64_t key_offset(const int64_t (&stride)[3], uint32_t token) const {
    return rows.key_offset(stride) + tokens.key_of(token) * stride[1];
  }
  FOVEA_DEVICE int64_t query_offset(const int64_t (&stride)[3], uint32_t token,
                                    int32_t head) const {
    return rows.offset(stride, tokens.query_of(token), rows.first_head + head);
  }
  FOVEA_DEVICE int64_t key_row(uint32_t token) const {
    const int64_t start = p.spec.packed ? rows.key_start : int64_t{rows.batch} * p.key_length;
    return (start + tokens.key_of(token)) * p.key_heads + rows.key_head;
  }
  FOVEA_DEVICE int64_t query_row(uint32_t token, int32_t head) const {
    const int64_t start = p.spec.packed ? rows.query_start : int64_t{rows.batch} * p.query_length;
    return (start + tokens.query_of(token)) * p.query_heads + rows.first_head + head;
  }

  // Rows of the keys of a chunk; factor(token) goes with each.
  template <typename Factor, typename Map>
  FOVEA_DEVICE void load_key_rows(const void* tensor, int32_t dtype, const int64_t (&stride)[3],
                                  const Chunk& chunk, const Place& to, Factor factor,
                                  Map map) const {
    load_rows(
        tensor, dtype, to, chunk.count,
        [&](int32_t t) {
          const uint32_t token = chunk.from + t;
          return tokens.has_key(token) ? Source{true, key_offset(stride, token), factor(token)}
                                       : Source{};
        },
        map);
  }
  // Of their queries; factor(token, head).
  template <typename Factor, typename Map>
  FOVEA_DEVICE void load_query_rows(const void* tensor, int32_t dtype, const int64_t (&stride)[3],
                                    const Chunk& chunk, const Place& to, Factor factor,
                                    Map map) const {
    load_rows(
        tensor, dtype, to, chunk.count * chunk.heads,
        [&](int32_t n) {
          const int32_t t = n / chunk.heads, head = chunk.head + n - t * chunk.heads;
          const uint32_t token = chunk.from + t;
          return tokens.has_query(token)
                     ? Source{true, query_offset(stride, token, head), factor(token, head)}
                     : Source{};
        },
        map);
  }
  // Rows of the workspace, one for each key.
  template <typename Factor, typename Map>
  FOVEA_DEVICE void load_kept_rows(const float* kept, int32_t width, const Chunk& chunk,
                                   const Place& to, Factor factor, Map map) const {
    load_rows(
        kept, FOVEA_FLOAT32, to, chunk.count,
        [&](int32_t t) {
          const uint32_t token = chunk.from + t;
          return tokens.has_key(token) ? Source{true, key_row(token) * width, factor(token)}
                                       : Source{};
        },
        map);
  }
  FOVEA_DEVICE void load_keys(const Chunk& chunk, const Place& to) const {
    load_key_rows(p.key, p.spec.dtype, p.spec.key_stride, chunk, to, None(), features());
  }
  FOVEA_DEVICE void load_queries(const Chunk& chunk, const Place& to) const {
    load_query_rows(p.query, p.spec.dtype, p.spec.query_stride, chunk, to, None(), features());
  }
  // Of decays, or one number for each key where rows and columns decay alike; and betas.
  FOVEA_DEVICE void load_decays(const Chunk& chunk, const Place& to) const {
    const int32_t t = int32_t(tile::thread_index());
    const uint32_t token = chunk.from + t;
    const bool there = t < chunk.count && tokens.has_key(token);
    if (has_delta() && there) {
      store_float(shared + uint32_t(p.chunk.betas + 4 * t), beta(token));
    }
    if (p.spec.key_decay_dtype != 0) {
      load_key_rows(p.key_decay, p.spec.key_decay_dtype, p.spec.key_decay_stride, chunk, to,
                    [&](uint32_t of) { return decay(of); }, Decays());
    } else if (has_decay() && there) {
      store_float(shared + uint32_t(p.chunk.decay_numbers + 4 * t), Decays()(decay(token), 0.0f));
    }
  }
  FOVEA_DEVICE float beta(uint32_t token) const {
    return load_number(p.beta, p.spec.beta_dtype, key_offset(p.spec.beta_stride, token));
  }

  FOVEA_DEVICE Features features() const { return {p.spec.feature_map}; }

  // Zeros in rows that belong to padding, `stride` apart.
  FOVEA_DEVICE void pad(void* tensor, int32_t dtype, int64_t offset, int64_t stride, int32_t begin,
                        int32_t end) const {
    FOVEA_NO_UNROLL
    for (int32_t i = begin + warp(); i < end; i += p.warps) {
      FOVEA_NO_UNROLL
      for (int32_t c = lane(); c < p.chunk.pitch && first_column + c < columns; c += tile::kWarp) {
        store_number(tensor, dtype, offset + i * stride + first_column + c, 0.0f, false);
      }
    }
  }
  FOVEA_DEVICE void pad_queries(void* tensor, int32_t dtype, const int64_t (&stride)[3]) const {
    if (p.spec.packed) return;
    for (int32_t h = 0; h < group(); ++h) {
      pad(tensor, dtype, rows.offset(stride, 0, rows.first_head + h), stride[1], rows.query_length,
          p.query_length);
    }
  }
  FOVEA_DEVICE void pad_keys(void* tensor, int32_t dtype, const int64_t (&stride)[3]) const {
    if (p.spec.accumulate) return;
    pad(tensor, dtype, rows.key_offset(stride), stride[1], rows.key_length,
        key_rows(p, rows.batch));
  }

  // Of strides (batch, head, ...).
  template <size_t kRank>
  FOVEA_DEVICE int64_t state_offset(const int64_t (&stride)[kRank]) const {
    return rows.batch * stride[0] + rows.key_head * stride[1];
  }

  const ForwardParams& p;
  const AttentionRows rows;
  const Tokens tokens;
  const uint32_t shared;
  const int32_t columns, first_column;  // of the state; those of the block begin with it
  State<Panel> state;

  // The first column of a thread among those of its block, and all its columns.
  static FOVEA_DEVICE int32_t thread_column() {
    return warp() * Panel::kWarpColumns + lane() / Panel::kLanes * kColumns;
  }
  FOVEA_DEVICE int32_t column(int c) const { return first_column + thread_column() + c; }
  // The column whose sum it gets, and whether it is the one that stores it.
  FOVEA_DEVICE int32_t own_column() const { return column(lane() % kColumns); }
  FOVEA_DEVICE bool owns() const {
    return lane() % Panel::kLanes < kColumns && own_column() < columns;
  }
  // Of the warp's panel among all of the state.
  FOVEA_DEVICE int32_t panel() const { return first_column / Panel::kWarpColumns + warp(); }

 private:
  struct None {
    FOVEA_DEVICE float operator()(uint32_t) const { return 0; }
    FOVEA_DEVICE float operator()(uint32_t, int32_t) const { return 0; }
  };

  FOVEA_DEVICE Sweep(const ForwardParams& params, const AttentionItem& at, int32_t of_columns,
                     bool has_queries)
      : p(params),
        rows(locate_pair(params, at.batch, at.key_head)),
        tokens(params.spec.causal != 0, rows.key_length, has_queries ? rows.query_length : 0),
        shared(tile::shared_base()),
        columns(of_columns),
        first_column(int32_t(at.tile) * params.chunk.pitch) {}

  FOVEA_DEVICE float decay(uint32_t token) const {
    if (p.spec.decay_dtype == 0) return 0;
    return load_number(p.decay, p.spec.decay_dtype, key_offset(p.spec.decay_stride, token));
  }
};

}  // namespace fovea::linear::cuda
