// A tile of one of the three products of a projection:
//
//   out = weight x, summed over positions;  dx = weight^T dout, over rows of weight
//   dweight = dout x^T, over columns of sequences and heads
//
// Tiles of both factors come to shared memory in steps of what is summed, some of them on their way while one
// is multiplied. Each warp owns 32 rows. Sums of kChunk products are made by themselves, and then added to
// the others by float32 additions.
#pragma once

#include "cuda/projection/lengths.cuh"
#include "tile/copy.cuh"
#include "tile/products.cuh"
#include "tile/rows_out.cuh"

namespace fovea::projection::cuda {

template <Product kProduct, Precision kPrecision>
class ProductTile {
 public:
  FOVEA_DEVICE explicit ProductTile(const ProductParams& params, uint32_t block = tile::block_index())
      : p(params), shared(tile::shared_base()) {
    uint32_t item = uint32_t(p.first_item) + block;
    row = int32_t(item % uint32_t(p.row_tiles)) * kRows;
    item /= uint32_t(p.row_tiles);
    column = int32_t(item % uint32_t(p.column_tiles)) * kColumns;
    item /= uint32_t(p.column_tiles);
    part = int32_t(item % uint32_t(p.parts));
    item /= uint32_t(p.parts);
    set_pair(item);
  }

  FOVEA_DEVICE void run() {
    if (kProduct == Product::kOut && p.parts > 1 && first >= end) return;  // nobody adds it up
    tile::Fragment<kM, kPieces> total = {};
    sum(total);
    // Of this tile once more: where it lies, held through the sums, cost float32 20 bytes of spills on sm_100.
    ProductTile(p, tile::opaque(tile::block_index())).store(total);
  }

 private:
  static constexpr int kStep = step_of(kPrecision), kElementBytes = kStepBytes / kStep;
  static constexpr int kM = kRows / kWarps / 16, kPieces = kColumns / 8;
  static constexpr int kChunkSteps = int(kChunk) / kStep;
  // Whether tiles have the rows and columns of the product for rows, and what is summed for columns.
  static constexpr bool kLeftByRows = kProduct != Product::kInput;
  static constexpr bool kRightByRows = kProduct == Product::kWeight;
  static constexpr int kLeftBytes = kLeftByRows ? kStepBytes : kRows * kElementBytes;
  static constexpr int kRightBytes = kRightByRows ? kStepBytes : kColumns * kElementBytes;
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  using LeftCopy =
      tile::TileCopy<kLeftByRows ? kRows : kStep, kLeftByRows ? kStep : kRows, kThreads, Element>;
  using RightCopy = tile::TileCopy<kRightByRows ? kColumns : kStep, kRightByRows ? kStep : kColumns,
                                   kThreads, Element>;

  static FOVEA_DEVICE uint32_t warp() { return tile::thread_index() / tile::kWarp; }
  static FOVEA_DEVICE uint32_t warp_row() { return warp() * (kRows / kWarps); }

  FOVEA_DEVICE int32_t length_of(int32_t of) const {
    return cuda::length_of(p.lengths, of, p.length);
  }

  // From what the product is of to what is summed: [first, end).
  FOVEA_DEVICE void set_pair(uint32_t item) {
    if constexpr (kProduct == Product::kWeight) {
      head = int32_t(item);
      const int64_t pairs = int64_t{p.batch} * p.heads / p.weights;
      first = int32_t(pairs * part / p.parts);
      const int32_t last = int32_t(pairs * (part + 1) / p.parts);
      head_steps = (p.head_dim + kStep - 1) / kStep;
      steps = (last - first) * head_steps;
      return;
    }
    batch = int32_t(item / uint32_t(p.heads));
    head = int32_t(item % uint32_t(p.heads));
    length = length_of(batch);
    if constexpr (kProduct == Product::kOut) {
      first = p.parts > 1 ? part * int32_t(kChunk) : 0;
      end = p.parts > 1 && first + int32_t(kChunk) < length ? first + int32_t(kChunk) : length;
    } else {
      first = 0;
      end = row < length ? p.rank : 0;
    }
    steps = end > first ? (end - first + kStep - 1) / kStep : 0;
  }

  // The sums of all steps.
  FOVEA_DEVICE void sum(tile::Fragment<kM, kPieces>& total) {
    tile::Fragment<kM, kPieces> chunk = {};
    FOVEA_UNROLL
    for (int step = 0; step < kStages - 1; ++step) {
      if (step < steps) load(step, step);
      tile::copy_async_commit();  // an empty group too, so that a wait counts them
    }
    int stage = 0, ahead = kStages - 1;
    FOVEA_NO_UNROLL
    for (int32_t step = 0; step < steps; ++step) {
      tile::copy_async_wait<kStages - 2>();
      tile::sync_block();  // the step is there for all, and nobody reads the one before
      if (step + kStages - 1 < steps) load(step + kStages - 1, ahead);
      tile::copy_async_commit();
      const int32_t columns = columns_of(step);
      const bool cut = columns < kColumns;
      if (cut && step % head_steps == 0) join(total, chunk, kColumns);
      multiply(chunk, shared + stage * kStageBytes);
      stage = stage == kStages - 1 ? 0 : stage + 1;
      ahead = ahead == kStages - 1 ? 0 : ahead + 1;
      if ((step + 1) % kChunkSteps == 0 || step + 1 == steps ||
          (cut && (step + 1) % head_steps == 0)) {
        join(total, chunk, columns);
      }
    }
    tile::copy_async_wait<0>();
    tile::sync_block();  // rows leave by the same memory
  }

  // Of dweight, the columns of a step whose sums count, less than all where a sequence ends among the positions
  // of the tile: its zeros times an infinite dout are NaN, and positions behind it are those of other sequences.
  FOVEA_DEVICE int32_t columns_of(int32_t step) const {
    if (kProduct != Product::kWeight || p.lengths == nullptr) return kColumns;
    const int32_t pair = first + step / head_steps;
    const int32_t positions = length_of(p.weights == 1 ? pair / p.heads : pair) - column;
    return positions > 0 && positions < kColumns ? positions : kColumns;
  }

  FOVEA_DEVICE static void join(tile::Fragment<kM, kPieces>& total,
                                tile::Fragment<kM, kPieces>& chunk, int32_t columns) {
    if constexpr (kProduct == Product::kWeight) {
      tile::each_element<kM, kPieces>([&](int i, int j, int e) {
        total[i][j][e] += tile::fragment_column(j, e) < columns ? chunk[i][j][e] : 0.0f;
      });
    } else {
      tile::add(total, chunk);
    }
    tile::change(chunk, [](float) { return 0.0f; });
  }

  FOVEA_DEVICE void multiply(tile::Fragment<kM, kPieces>& sums, uint32_t left) const {
    const uint32_t right = left + kRowBytes;
    if constexpr (kProduct == Product::kOut) {
      tile::add_product<kPrecision, kLeftBytes, kRightBytes, kStep>(sums, left, warp_row(), right,
                                                                    0);
    } else if constexpr (kProduct == Product::kInput) {
      tile::add_transposed_product<kPrecision, kLeftBytes, kRightBytes, kStep>(
          sums, left, warp_row(), right, 0);
    } else {
      tile::add_rows<kPrecision, kStepBytes>(sums, left, warp_row(), right);
    }
  }

  // Sends for both factors of a step.
  FOVEA_DEVICE void load(int32_t step, int stage) const {
    const uint32_t left = shared + stage * kStageBytes, right = left + kRowBytes;
    const int64_t(&l)[3] = p.left.stride;
    const int64_t(&r)[3] = p.right.stride;
    if constexpr (kProduct == Product::kOut) {
      const int32_t j = first + step * kStep;
      copy<LeftCopy>(left, p.left, head * l[2] + row * l[1] + j, p.rank - row, end - j);
      copy<RightCopy>(right, p.right, batch * r[0] + j * r[1] + head * r[2] + column, end - j,
                      p.head_dim - column);
    } else if constexpr (kProduct == Product::kInput) {
      const int32_t k = step * kStep;
      copy<LeftCopy>(left, p.left, head * l[2] + k * l[1] + row, p.rank - k, length - row);
      copy<RightCopy>(right, p.right, batch * r[0] + k * r[1] + head * r[2] + column, p.rank - k,
                      p.head_dim - column);
    } else {
      const int32_t pair = first + step / head_steps, d = step % head_steps * kStep;
      const int32_t b = p.weights == 1 ? pair / p.heads : pair;
      const int32_t h = p.weights == 1 ? pair % p.heads : head;
      // Of a sequence that has none of the positions neither: its dout may be anything.
      const int32_t positions = length_of(b) - column;
      copy<LeftCopy>(left, p.left, b * l[0] + row * l[1] + h * l[2] + d,
                     positions > 0 ? p.rank - row : 0, p.head_dim - d);
      copy<RightCopy>(right, p.right, b * r[0] + column * r[1] + h * r[2] + d, positions,
                      p.head_dim - d);
    }
  }

  // A tile that begins at an element, of which so many rows exist, with so many elements.
  template <typename Copy>
  FOVEA_DEVICE void copy(uint32_t to, const Source& source, int64_t offset, int32_t rows,
                         int32_t width) const {
    const auto* const all = static_cast<const Element*>(source.at);
    const Element* const from = Copy::first_source(all + offset, source.stride[1]);
    constexpr int kTileRows = Copy::kSteps * Copy::kStep,
                  kTileWidth = Copy::kChunks * Copy::kElements;
    if (source.copy_bytes == 16 && rows >= kTileRows && width >= kTileWidth) {
      Copy::copy_whole(to, from, source.stride[1]);
    } else {
      Copy::copy(to, from, source.stride[1], rows, width, source.copy_bytes, all);
    }
  }

  FOVEA_DEVICE void store(const tile::Fragment<kM, kPieces>& total) const {
    constexpr bool kInput = kProduct == Product::kInput;
    const int32_t rows = kInput ? p.length : p.rank;
    const int32_t width = (kProduct == Product::kWeight ? p.length : p.head_dim) - column;
    const int64_t(&stride)[3] = p.out.stride;
    const int64_t base = part * p.part_stride +
                         (kProduct == Product::kWeight ? 0 : batch * stride[0]) + head * stride[2] +
                         column;
    const tile::RowsOut out = {p.out.at, p.out.dtype, width, p.out.add};
    const int32_t first_row = row + int32_t(warp_row());
    const int32_t mine = first_row + int32_t(tile::thread_index() % tile::kWarp / 4);
    tile::store_sums(
        out, shared + warp() * tile::kStagedBytes, total, 0,
        [&](int i, int h, float x) {
          return kInput && mine + 16 * i + 8 * h >= length ? 0.0f : x;  // padding
        },
        [&](uint32_t r) {
          const int32_t at = first_row + int32_t(r);
          return tile::RowPlace{at < rows, base + at * stride[1]};
        });
  }

  const ProductParams& p;
  const uint32_t shared;
  int32_t row, column, part;  // the tile's first; of the product's parts
  int32_t batch = 0, head = 0, length = 0;
  int32_t first = 0,
          end = 0;  // what is summed: positions, rows of weight, or the first of some pairs
  int32_t steps = 0, head_steps = 1;
};

}  // namespace fovea::projection::cuda
