// How kernels whose scores are no product of matrices cut their work, and their shared memory, for planner
// and kernels alike. Why these numbers: cuda/README.md.
#pragma once

#include <cstdint>

#include "core/everywhere.h"

namespace fovea::pairs::cuda {

constexpr int kThreads = 128, kWarps = kThreads / 32;

// Keys of a tile: the span of dropout's counters.
constexpr int kKeys = 32;

// A tile of `rows` query rows by kKeys keys. Scores are sums over head_dim, of which shared memory holds
// `part` elements of each row and key at a time.
template <int kRowsOfTile, int kPartOfDim>
struct ScoreTile {
  static constexpr int kRows = kRowsOfTile, kPart = kPartOfDim;

  // A thread has pairs of so many rows and keys, which are that many threads apart.
  static constexpr int kKeysEach = kRows >= 32 ? 4 : 2;
  static constexpr int kKeyThreads = kKeys / kKeysEach;
  static constexpr int kRowThreads = kThreads / kKeyThreads;
  static constexpr int kRowsEach = kRows / kRowThreads;
  static_assert(kRowsEach * kRowThreads == kRows);

  // Threads that share a row of weights.
  static constexpr int kRowShare = kThreads / kRows;

  // Rows of elements, in floats: eight neighbouring rows have a quad of elements in different banks.
  static constexpr int kPitch = kPart + 4;
  // Rows of scores: threads that read pairs of them meet different banks.
  static constexpr int kScorePitch = kKeys + 2 * kRowShare;

  // What is kept of each row, of each head of the tile, by key and by warp: a word each. In the forward
  // kBase is what the sums of a row are to be multiplied by.
  enum RowWord {
    kRowFar,
    kScale,
    kConstant,
    kDown,
    kHeadApart,
    kBase,
    kRest,
    kDelta,
    kRowWords,
    kInverse = kDown,
  };
  enum WarpWord { kMostQuery, kMostKey, kAnyFarRow, kAnyFarKey, kAnyHeadApart, kWarpWords };

  // Bytes from the beginning.
  static constexpr int kQueriesAt = 0;
  static constexpr int kKeysAt = kQueriesAt + 4 * kRows * kPitch;
  static constexpr int kScoresAt = kKeysAt + 4 * kKeys * kPitch;
  static constexpr int kRowWordsAt = kScoresAt + 4 * kRows * kScorePitch;
  static constexpr int kKeyFarAt = kRowWordsAt + 4 * kRows * kRowWords;
  static constexpr int kWarpWordsAt = kKeyFarAt + 4 * kKeys;
  // What a kernel has beside, and behind it rows of head_dim that belong to a head, for each of the tile.
  static constexpr int kOwnAt = kWarpWordsAt + 4 * kWarps * 8;
  static_assert(kWarpWords <= 8 && kOwnAt % 16 == 0);

  static constexpr int heads_bytes(int heads) { return 4 * heads * kPitch; }
};

// Of the forward: the values of a tile are `width` floats wide, a multiple of 4.
template <int kRows>
struct ForwardTile : ScoreTile<kRows, 64> {
  static constexpr int kValuesAt = ScoreTile<kRows, 64>::kOwnAt;
  // Sums of a thread: of kSumRows rows that are kSumRowThreads apart, and of kSumQuads times four columns
  // that are kSumColumnThreads quads apart.
  static constexpr int kSumRows = 8, kSumRowThreads = kRows / kSumRows;
  static constexpr int kSumColumnThreads = kThreads / kSumRowThreads;
  static constexpr int kSumQuads = kRows == 8 ? 1 : 2;
  static constexpr int kMostValueDim = 4 * kSumQuads * kSumColumnThreads;
  // On a multiprocessor with registers for no more.
  static constexpr int kBlocks = kRows == 8 ? 3 : 2;

  FOVEA_EVERYWHERE static constexpr int heads_at(int value_head_dim) {
    return kValuesAt + 4 * kKeys * ((value_head_dim + 3) / 4 * 4);
  }
  static constexpr int shared_bytes(int heads, int value_head_dim) {
    return heads_at(value_head_dim) + ScoreTile<kRows, 64>::heads_bytes(heads);
  }
};

// Of the backward. A block has the gradients of kChunk elements of head_dim, and of as many of
// value_head_dim, which is also the part.
constexpr int kChunk = 128;

struct BackwardTile : ScoreTile<32, kChunk> {
  static constexpr int kDoutAt = kOwnAt;
  static constexpr int kValuesAt = kDoutAt + 4 * kRows * kPitch;
  static constexpr int kDroppedAt = kValuesAt + 4 * kKeys * kPitch;
  static constexpr int kHeadsAt = kDroppedAt + 4 * kRows * kScorePitch;

  static constexpr int shared_bytes(int heads) { return kHeadsAt + heads_bytes(heads); }
};

// No block has more.
static_assert(BackwardTile::shared_bytes(32) <= 101376);
static_assert(ForwardTile<32>::shared_bytes(32, 256) <= 101376);
static_assert(ForwardTile<16>::shared_bytes(16, 512) <= 101376);

// Rows of the forward's tiles, by index of the kernel.
constexpr int kForwardRows[] = {8, 16, 32, 64};

// The smallest tile that holds `rows` rows, but no larger than the sums of so wide values allow.
constexpr int forward_variant(int64_t rows, int64_t value_head_dim) {
  const int most = value_head_dim <= 128 ? 3 : value_head_dim <= 256 ? 2 : 1;
  int variant = 0;
  while (variant < most && kForwardRows[variant] < rows) ++variant;
  return variant;
}

static_assert(ForwardTile<8>::kMostValueDim >= 512 && ForwardTile<16>::kMostValueDim >= 512 &&
              ForwardTile<32>::kMostValueDim >= 256 && ForwardTile<64>::kMostValueDim >= 128);

// Calls body with a null pointer of the tile of a variant.
template <typename Body>
constexpr auto with_forward_tile(int variant, Body body) {
  switch (variant) {
    case 0:
      return body(static_cast<ForwardTile<8>*>(nullptr));
    case 1:
      return body(static_cast<ForwardTile<16>*>(nullptr));
    case 2:
      return body(static_cast<ForwardTile<32>*>(nullptr));
    default:
      return body(static_cast<ForwardTile<64>*>(nullptr));
  }
}

}  // namespace fovea::pairs::cuda
