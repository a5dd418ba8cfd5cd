// Which rows a block has, and which of their columns a thread: its packets, and what dropout keeps of them.
#pragma once

#include "core/philox.h"
#include "cuda/activation/functions.cuh"
#include "cuda/activation/params.h"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::activation::cuda {

// A packet of any type, as it lies in memory: eight elements of 16 bits, four, or one.
template <int kPacket>
struct Packet {
  uint32_t words[kPacket == 1 ? 1 : 4];

  FOVEA_DEVICE void load(const Rows& rows, int64_t at) {
    if constexpr (kPacket == kMostPacket) {
      load_packet<2, kPacket>(rows, at, words);
    } else if (rows.dtype == FOVEA_FLOAT32) {
      load_packet<4, kPacket>(rows, at, words);
    } else {
      load_packet<2, kPacket>(rows, at, half());
    }
  }

  FOVEA_DEVICE void widen(const Rows& rows, float (&x)[kPacket]) {
    if constexpr (kPacket == kMostPacket) {
      widen_packet<2, kPacket>(rows, words, x);
    } else if (rows.dtype == FOVEA_FLOAT32) {
      widen_packet<4, kPacket>(rows, words, x);
    } else {
      widen_packet<2, kPacket>(rows, half(), x);
    }
  }

  static FOVEA_DEVICE void store(const Rows& rows, int64_t at, const float (&x)[kPacket]) {
    Packet packet;
    if constexpr (kPacket == kMostPacket) {
      round_packet<2, kPacket>(rows, x, packet.words);
      store_packet<2, kPacket>(rows, at, packet.words);
    } else if (rows.dtype == FOVEA_FLOAT32) {
      round_packet<4, kPacket>(rows, x, packet.words);
      store_packet<4, kPacket>(rows, at, packet.words);
    } else {
      round_packet<2, kPacket>(rows, x, packet.half());
      store_packet<2, kPacket>(rows, at, packet.half());
    }
  }

 private:
  // The words that 16-bit elements have.
  FOVEA_DEVICE auto half() -> uint32_t (&)[kPacket == 1 ? 1 : 2] {
    return reinterpret_cast<uint32_t(&)[kPacket == 1 ? 1 : 2]>(words);
  }
};

template <int kPacket>
struct Block {
  static constexpr int kElements = kPacket;

  const ActivationParams& p;
  int32_t row_tile, first, end;  // rows
  int32_t tile_column, column;   // the first of the block, of the thread
  int32_t group;

  FOVEA_DEVICE explicit Block(const ActivationParams& params) : p(params) {
    const int64_t item = p.first_item + tile::block_index();
    row_tile = int32_t(item / p.column_tiles);
    first = row_tile * p.tile_rows;
    end = p.rows - first < p.tile_rows ? p.rows : first + p.tile_rows;
    tile_column = int32_t(item % p.column_tiles) * p.lanes * kPacket;
    column = tile_column + int32_t(tile::thread_index()) % p.lanes * kPacket;
    group = int32_t(tile::thread_index()) / p.lanes;
  }

  // Whether the thread has a packet of that row.
  FOVEA_DEVICE bool has(int32_t row) const {
    return row < end && column < (row == p.rows - 1 ? p.last_width : p.width);
  }

  FOVEA_DEVICE int64_t at(const Rows& rows, int32_t row) const {
    const int32_t b = row / p.length, s = row - b * p.length;
    return b * rows.stride[0] + s * rows.stride[1] + column;
  }

  // Without one that which changes no number, of either zero.
  FOVEA_DEVICE void load_bias(float (&bias)[kPacket]) const {
    const bool there = p.bias != nullptr && column < p.width;
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) bias[e] = there ? tile::load_global(p.bias + column + e) : -0.0f;
  }

  // Calls body(rows) for steps of kRows rows of the thread's group, some of which may be behind the last. What
  // dropout keeps of them is drawn before.
  template <typename Body>
  FOVEA_DEVICE void each_step(Body body) const {
    const int32_t step = p.groups * kRows;
    FOVEA_NO_UNROLL
    for (int32_t from = first; from < end; from += step) {
      if (p.draws) {
        draw(from, step);
        tile::sync_block();
      }
      int32_t rows[kRows];
      FOVEA_UNROLL
      for (int k = 0; k < kRows; ++k) rows[k] = from + k * p.groups + group;
      body(rows);
      if (p.draws) tile::sync_block();
    }
  }

  // 0 where an element was dropped. Of the k-th row of a step.
  FOVEA_DEVICE void keep(int k, float (&x)[kPacket]) const {
    if (!p.draws) return;
    const int32_t span = (column - tile_column) / kSpan;
    const uint32_t mask =
        tile::load_shared(mask_address((k * p.groups + group) * spans() + span)) >>
        uint32_t(column % kSpan);
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      if ((mask >> e & 1) == 0) x[e] = 0;
    }
  }

 private:
  FOVEA_DEVICE int32_t spans() const { return (p.lanes * kPacket + kSpan - 1) / kSpan; }

  static FOVEA_DEVICE uint32_t mask_address(int32_t index) {
    return tile::shared_base() + 4 * uint32_t(index);
  }

  // Masks of the spans of rows [from, from + step).
  FOVEA_DEVICE void draw(int32_t from, int32_t step) const {
    const int32_t spans = this->spans();
    FOVEA_NO_UNROLL
    for (int32_t i = int32_t(tile::thread_index()); i < step * spans; i += kThreads) {
      const int32_t row = from + i / spans, b = row / p.length;
      const auto counter = uint32_t(tile_column / kSpan + i % spans) * 4;
      uint32_t words[4][4];
      FOVEA_UNROLL
      for (int pair = 0; pair < 4; ++pair) {
        words[0][pair] = counter + uint32_t(pair);
        words[1][pair] = uint32_t(row - b * p.length);
        words[2][pair] = uint32_t(b);
        words[3][pair] = p.dropout_offset;
      }
      philox4x32_10(words, p.dropout_seed);
      uint32_t mask = 0;
      FOVEA_UNROLL
      for (int word = 0; word < 4; ++word) {
        FOVEA_UNROLL
        for (int pair = 0; pair < 4; ++pair) {
          const uint32_t x = words[word][pair];
          mask |= uint32_t((x & 0xffff) >= p.dropout_threshold) << (8 * word + 2 * pair);
          mask |= uint32_t((x >> 16) >= p.dropout_threshold) << (8 * word + 2 * pair + 1);
        }
      }
      tile::store_shared(mask_address(i), mask);
    }
  }
};

// Calls body with a null pointer of a Block of the packets that there are.
template <typename Body>
FOVEA_DEVICE void with_block(const ActivationParams& p, Body body) {
  if (p.packet == kMostPacket) return body(static_cast<Block<kMostPacket>*>(nullptr));
  if (p.packet == 4) return body(static_cast<Block<4>*>(nullptr));
  body(static_cast<Block<1>*>(nullptr));
}

}  // namespace fovea::activation::cuda
