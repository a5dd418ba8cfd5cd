// Rows of the gradient of a table: a warp has some neighbouring rows, and of each as many columns as its lanes
// have packets. It takes the tokens of its bucket in their order, a chunk at a time, keeps those of its rows by
// ballots, and adds up their rows of dout, several on their way at once. No warp waits for another.

#include "cuda/embedding/params.h"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::embedding::cuda {
namespace {

template <typename Types>
struct Tile {
  static constexpr int kPacket = Types::kPacket;
  static constexpr int kBytes = Types::template kBytes<0>;
  static constexpr int kWords = Types::template kWords<0>;

  const BackwardParams& p;
  const TableSums& sums;
  uint32_t lane, queue, memory;  // of the warp: entries of its rows; sums of the lane
  int32_t first, rows, column;   // of the tile; column of the lane

  FOVEA_DEVICE Tile(const BackwardParams& params, const TableSums& table, int64_t item)
      : p(params), sums(table), lane(tile::thread_index() % tile::kWarp) {
    const uint32_t warp = tile::thread_index() / tile::kWarp;
    queue = tile::shared_base() + warp * (kQueueBytes + kTileBytes);
    memory = queue + kQueueBytes + lane * 4 * kPacket;
    first = int32_t(item / table.column_tiles) * kRows;
    column = (int32_t(item % table.column_tiles) * tile::kWarp + int32_t(lane)) * kPacket;
    const int64_t left = table.gradient.of.rows - first;
    rows = left < kRows ? int32_t(left) : kRows;
  }

  FOVEA_DEVICE void run() const {
    const float zeros[kPacket] = {};
    FOVEA_UNROLL
    for (int row = 0; row < kRows; ++row) put(row, zeros);
    uint32_t found = 0;  // a bit for each row
    Sum sum = {-1, {}};
    int64_t begin = 0, end = int64_t{kRows} * p.batch;
    if (sums.gradient.of.given) {
      const int32_t* const bounds = sums.bounds + 2 * int64_t{first / sums.bucket_rows};
      begin = tile::load_global(bounds);
      end = tile::load_global(bounds + 1);
    }
    FOVEA_NO_UNROLL
    for (; begin < end; begin += kChunk) {
      const int32_t count = fill_queue(begin, end);
      tile::sync_warp();
      FOVEA_NO_UNROLL
      for (int32_t at = 0; at < count; at += kAhead) take(at, count, sum, found);
      tile::sync_warp();  // before the queue is filled again
    }
    if (sum.row >= 0) put(sum.row, sum.x);
    write(found);
  }

 private:
  // Of a row that the last token was at.
  struct Sum {
    int32_t row;
    float x[kPacket];
  };

  FOVEA_DEVICE void put(int32_t row, const float (&x)[kPacket]) const {
    const uint32_t to = memory + uint32_t(row) * (4 * kPacket * tile::kWarp);
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; e += 2) {
      if constexpr (kPacket == 1) {
        tile::store_shared(to, tile::as_bits(x[0]));
      } else {
        tile::store_shared_pair(to + 4 * e, tile::as_bits(x[e]), tile::as_bits(x[e + 1]));
      }
    }
  }
  FOVEA_DEVICE void get(int32_t row, float (&x)[kPacket]) const {
    const uint32_t from = memory + uint32_t(row) * (4 * kPacket * tile::kWarp);
    if constexpr (kPacket == 1) {
      x[0] = tile::as_float(tile::load_shared(from));
    } else {
      uint32_t words[4];
      tile::load_shared_quad(from, words);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] = tile::as_float(words[e]);
    }
  }

  // Row, -1 for none of the tile, and token of an entry.
  FOVEA_DEVICE void load(int64_t at, int64_t end, uint32_t& row, uint32_t& token) const {
    row = token = 0xffffffffu;
    if (at >= end) return;
    if (sums.gradient.of.given) {
      tile::load_pair(sums.entries + 2 * at, row, token);
      row -= uint32_t(first);
    } else if (first + at / p.batch < p.length) {
      row = uint32_t(at / p.batch);
      token = uint32_t(at % p.batch) * uint32_t(p.length) + uint32_t(first) + row;
    }
  }

  // Keeps those of the next entries that are of the tile; how many these are.
  FOVEA_DEVICE int32_t fill_queue(int64_t begin, int64_t end) const {
    constexpr int kTimes = kChunk / tile::kWarp;
    uint32_t row[kTimes], token[kTimes];
    FOVEA_UNROLL
    for (int k = 0; k < kTimes; ++k) load(begin + k * tile::kWarp + lane, end, row[k], token[k]);
    int32_t count = 0;
    FOVEA_UNROLL
    for (int k = 0; k < kTimes; ++k) {
      const bool ours = row[k] < kRows;
      const uint32_t lanes = tile::ballot(ours);
      const int32_t to = count + tile::count_bits(lanes & ((1u << lane) - 1));
      if (ours) tile::store_shared_pair(queue + 8 * uint32_t(to), row[k], token[k]);
      count += tile::count_bits(lanes);
    }
    return count;
  }

  // Adds the rows of dout of some of them.
  FOVEA_DEVICE void take(int32_t at, int32_t count, Sum& sum, uint32_t& found) const {
    uint32_t words[kAhead][kWords];
    FOVEA_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      if (at + k >= count) break;
      const uint32_t token = tile::load_shared(queue + 8 * uint32_t(at + k) + 4);
      if (column >= p.width) continue;
      const int64_t from = token / uint32_t(p.length) * p.dout_stride[0] +
                           token % uint32_t(p.length) * p.dout_stride[1] + column;
      load_packet<kBytes, kPacket>(p.dout, from, words[k]);
    }
    FOVEA_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      if (at + k >= count) break;
      const auto row = int32_t(tile::load_shared(queue + 8 * uint32_t(at + k)));
      if (row != sum.row) {
        if (sum.row >= 0) put(sum.row, sum.x);
        sum.row = row;
        get(row, sum.x);
        found |= 1u << row;
      }
      if (column >= p.width) continue;
      float x[kPacket];
      widen_packet<kBytes, kPacket>(p.dout, words[k], x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) sum.x[e] += x[e];
    }
  }

  FOVEA_DEVICE void write(uint32_t found) const {
    if (column >= p.width) return;
    const PacketTensor to = {sums.gradient.data, p.gradient.dtype, p.gradient.whole};
    FOVEA_UNROLL
    for (int row = 0; row < kRows; ++row) {
      if (row >= rows) break;
      const bool any = (found >> row & 1) != 0;
      if (p.accumulate && !any) continue;
      const int64_t at = (int64_t{first} + row) * sums.gradient.stride + column;
      float x[kPacket];
      get(row, x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] = any ? x[e] * sums.gradient.scale : 0.0f;
      uint32_t words[kPacket];
      if (p.accumulate) {
        float before[kPacket];
        load_packet<4, kPacket>(to, at, words);
        widen_packet<4, kPacket>(to, words, before);
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) x[e] += before[e];
      }
      round_packet<4, kPacket>(to, x, words);
      store_packet<4, kPacket>(to, at, words);
    }
  }
};

// Calls body with a null pointer of the PacketTypes of dout and of a gradient, which is float32.
template <typename Body>
FOVEA_DEVICE void with_types(const BackwardParams& p, Body body) {
  if (p.dout.dtype == FOVEA_FLOAT32) {
    if (p.packet == 1) return body(static_cast<PacketTypes<4, 4, 1>*>(nullptr));
    return body(static_cast<PacketTypes<4, 4, 4>*>(nullptr));
  }
  if (p.packet == 1) return body(static_cast<PacketTypes<2, 4, 1>*>(nullptr));
  body(static_cast<PacketTypes<2, 4, 4>*>(nullptr));
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2) void embedding_sums(const BackwardParams p) {
  const int64_t item = (p.first_item + tile::block_index()) * kWarps +
                       tile::thread_index() / tile::kWarp;
  if (item >= p.table.items + p.positions.items) return;
  const bool first = item < p.table.items;
  const TableSums& sums = first ? p.table : p.positions;
  with_types(p, [&](auto* types) {
    Tile<std::remove_pointer_t<decltype(types)>>(p, sums, first ? item : item - p.table.items).run();
  });
}

}  // namespace

BackwardKernel* sums_kernel() { return embedding_sums; }

}  // namespace fovea::embedding::cuda
