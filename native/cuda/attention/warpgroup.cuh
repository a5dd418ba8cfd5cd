// What kernels of warpgroups share: rings of tiles that one thread fills, and products of tiles in shared memory.
#pragma once

#include "cuda/attention/warpgroup_tiles.h"
#include "tile/convert.cuh"
#include "tile/fragment.cuh"
#include "tile/mma.cuh"
#include "tile/registers.cuh"
#include "tile/tma.cuh"
#include "tile/wgmma.cuh"

namespace fovea::attention::cuda {

constexpr int kWarpgroup = 128;        // threads
constexpr uint32_t kEightRows = 1024;  // bytes of eight rows of a piece
constexpr int kPieceBytes = WarpgroupVariant::kPieceBytes;

// Among the threads that consume, which are those behind the producer's warpgroup.
FOVEA_DEVICE uint32_t consumer_thread() { return tile::thread_anew() - kWarpgroup; }
FOVEA_DEVICE uint32_t consumer_warp() { return consumer_thread() / tile::kWarp; }
FOVEA_DEVICE bool is_leader() { return tile::thread_anew() % tile::kWarp == 0; }  // of a warp

// One thread asks the copy engine for tiles, warpgroups consume them, and have the registers that its own gives.
template <typename Producer, typename Consumer, int kProducerRegisters, int kConsumerRegisters, typename Block>
FOVEA_DEVICE void run_block(const Block& block) {
  if (tile::thread_index() == 0) Block::start_barriers();
  tile::sync_block();
  if (tile::thread_index() < kWarpgroup) {
    tile::give_registers<kProducerRegisters>();
    if (tile::thread_index() == 0) Producer{block}.run();
  } else {
    tile::take_registers<kConsumerRegisters>();
    Consumer{block, tile::uniform(tile::thread_index() / kWarpgroup - 1)}.run();
  }
}

// Places of a tile that producer and consumers hand to each other: which one, and for the how many-th time.
template <int kStages>
struct RingStep {
  uint32_t count = 0;
  FOVEA_DEVICE uint32_t stage() const { return count % kStages; }
  FOVEA_DEVICE uint32_t parity() const { return count / kStages % 2; }
};

// By one lane of a warp, behind the wait for what the warp reads there.
FOVEA_DEVICE void release(tile::Barrier free) {
  if (is_leader()) free.arrive();
}

// Sums as products have them.
template <int kColumns>
FOVEA_DEVICE float (&flat(tile::Fragment<1, kColumns>& f))[4 * kColumns] {
  return reinterpret_cast<float(&)[4 * kColumns]>(f);
}

// Columns of the 16 rows of a warp as first factors of products, 32 bytes each.
template <int kHeld>
struct HeldFactors {
  uint32_t factors[kHeld > 0 ? kHeld : 1][4];

  // From `row` on, of a tile whose pieces have kRows rows.
  template <int kRows>
  FOVEA_DEVICE void load(uint32_t tile, uint32_t row) {
    const uint32_t lane = tile::thread_anew() % tile::kWarp, mine = row + lane % 16;
    FOVEA_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      const uint32_t piece = tile + k / 4 * kRows * kPieceBytes, chunk = uint32_t(k % 4 * 2) + lane / 16;
      tile::load_matrices<1>(factors[k], {piece + mine * kPieceBytes + (chunk ^ mine % 8) * 16});
    }
  }
};

// s = first * second^T for 64 rows and as many as s has columns, over kBytes of both, in tiles whose pieces have so many
// rows; the first columns of `first` may be held in registers. A group of products that the caller waits for.
template <typename Element, int kBytes, int kFirstRows, int kSecondRows, int kHeld, int kColumns>
FOVEA_DEVICE void issue_rows(tile::Fragment<1, kColumns>& s, const HeldFactors<kHeld>& held, uint32_t first,
                             uint32_t second) {
  using tile::Major;
  const uint64_t a = tile::descriptor(first, 0, kEightRows), b = tile::descriptor(second, 0, kEightRows);
  tile::wgmma_fence();
  FOVEA_UNROLL
  for (int k = 0; k < kBytes / 32; ++k) {
    const int piece = k / 4 * kPieceBytes, column = k % 4 * 32;
    const uint64_t of_b = tile::advance(b, piece * kSecondRows + column);
    if (k < kHeld) {
      tile::wgmma<Element, Major::kK>(flat(s), held.factors[k < kHeld ? k : 0], of_b, k > 0);
    } else {
      tile::wgmma<Element, Major::kK, Major::kK>(flat(s), tile::advance(a, piece * kFirstRows + column), of_b, k > 0);
    }
  }
  tile::wgmma_commit();
}

// sums += factors * tile, the factors in registers and as many columns of them as the tile has rows.
template <typename Element, int kRows, int kColumns>
FOVEA_DEVICE void issue_columns(tile::Fragment<1, kColumns>& sums, const uint32_t (&factors)[kRows / 16][4],
                                uint32_t tile) {
  const uint64_t b = tile::descriptor(tile, kRows * kPieceBytes, kEightRows);
  tile::wgmma_fence();
  FOVEA_UNROLL
  for (int k = 0; k < kRows / 16; ++k) {
    tile::wgmma<Element, tile::Major::kMN>(flat(sums), factors[k], tile::advance(b, k * 2 * kEightRows), true);
  }
  tile::wgmma_commit();
}

// The same of e4m3 and a tile that is transposed, into sums or, where it `adds`, to them.
template <int kRows, int kColumns>
FOVEA_DEVICE void issue_transposed_columns(tile::Fragment<1, kColumns>& sums, const uint32_t (&factors)[kRows / 32][4],
                                           uint32_t tile, bool adds) {
  const uint64_t b = tile::descriptor(tile, 0, kEightRows);
  tile::wgmma_fence();
  FOVEA_UNROLL
  for (int k = 0; k < kRows / 32; ++k) {
    tile::wgmma<float8_e4m3, tile::Major::kK>(flat(sums), factors[k], tile::advance(b, k * 32), adds || k > 0);
  }
  tile::wgmma_commit();
}

// sums = first^T * second, of a piece of 64 columns and of a tile, both of kRows rows.
template <typename Element, int kRows, int kColumns>
FOVEA_DEVICE void issue_transposed(tile::Fragment<1, kColumns>& sums, uint32_t first, uint32_t second) {
  using tile::Major;
  const uint64_t a = tile::descriptor(first, kRows * kPieceBytes, kEightRows);
  const uint64_t b = tile::descriptor(second, kRows * kPieceBytes, kEightRows);
  tile::wgmma_fence();
  FOVEA_UNROLL
  for (int k = 0; k < kRows / 16; ++k) {
    tile::wgmma<Element, Major::kMN, Major::kMN>(flat(sums), tile::advance(a, k * 2 * kEightRows),
                                                 tile::advance(b, k * 2 * kEightRows), k > 0);
  }
  tile::wgmma_commit();
}

// Fragments as factors of a product.
template <typename Element, int kColumns>
FOVEA_DEVICE void pack(uint32_t (&factors)[kColumns / 2][4], const tile::Fragment<1, kColumns>& f) {
  FOVEA_UNROLL
  for (int k = 0; k < kColumns / 2; ++k) {
    FOVEA_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float(&piece)[4] = f[0][2 * k + i / 2];
      factors[k][i] = tile::pack<Element>(piece[i % 2 * 2], piece[i % 2 * 2 + 1]);
    }
  }
}

// The same in e4m3. A thread has two neighbouring columns of each eight, and a product takes four of it: of 16 keys
// from 0 on its columns are 2t, 2t + 1, 2t + 8, 2t + 9, in the order in which transposed values have them.
template <int kColumns>
FOVEA_DEVICE void pack_e4m3(uint32_t (&factors)[kColumns / 4][4], const tile::Fragment<1, kColumns>& f) {
  FOVEA_UNROLL
  for (int k = 0; k < kColumns / 4; ++k) {
    FOVEA_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float(&low)[4] = f[0][4 * k + i / 2 * 2];
      const float(&high)[4] = f[0][4 * k + i / 2 * 2 + 1];
      const int row = i % 2 * 2;
      factors[k][i] = tile::pack_e4m3(low[row], low[row + 1], high[row], high[row + 1]);
    }
  }
}

// Zeroes rows [from, kRows) of the kPieces pieces of a tile, by the kThreads threads from `thread` 0 on; threads must
// meet behind it.
template <int kPieces, int kRows, int kThreads>
FOVEA_DEVICE void clear_rows(uint32_t tile, int32_t from, uint32_t thread) {
  FOVEA_UNROLL
  for (int i = 0; i < kPieces; ++i) {
    const uint32_t piece = tile + i * kRows * kPieceBytes;
    FOVEA_NO_UNROLL
    for (uint32_t at = from * kPieceBytes + thread * 8; at < uint32_t(kRows * kPieceBytes); at += kThreads * 8) {
      tile::store_shared_pair(piece + at, 0, 0);
    }
  }
  tile::fence_async();
}

}  // namespace fovea::attention::cuda
