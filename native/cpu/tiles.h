// The tile instructions of AMX: products of 16 rows of 32 bfloat16 with as many columns of them, summed as float32.
#pragma once

#include <type_traits>

#include "cpu/pairs.h"

#if defined(FOVEA_TILES)

namespace fovea::cpu::FOVEA_TIER {

// Rows of a tile, and columns of one of sums; pairs of a row of a first factor, which are rows of a second one.
constexpr int kTileRows = 16, kTilePairs = 16;
// Blocks of products are two tiles high and two wide: as many loads as products, each load in half the time.
constexpr int kBlockTiles = 2;

inline int64_t tiles_of(int64_t count) { return (count + 15) / 16; }

#if defined(__AMX_BF16__)

// The registers of this thread, as long as it lives: eight tiles of 16 rows of 64 bytes.
class TileRegisters {
 public:
  TileRegisters() {
    alignas(64) static constexpr struct {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } kConfiguration;
    static_assert(sizeof kConfiguration == 64);
    asm volatile("ldtilecfg %0" : : "m"(kConfiguration));
  }
  // What is in use is saved whenever the thread is interrupted.
  ~TileRegisters() { asm volatile("tilerelease"); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
};

// Not the intrinsics of g++ 12, which take literals alone and hide from the compiler what memory they read.
template <int kTile>
inline void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// Rows lie so many bytes apart.
template <int kTile>
inline void load_tile_bytes(const char* at, int64_t stride) {
  asm volatile("tileloadd (%0,%1), %%tmm%c2" : : "r"(at), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline void store_tile(float* at, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1)" : : "r"(at), "r"(stride * 4), "i"(kTile) : "memory");
}
// kSum += kFirst kSecond, of rows of pairs along the sum and of columns of such pairs.
template <int kSum, int kFirst, int kSecond>
inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kFirst), "i"(kSecond));
}
// Where no product is due for long: the unit of tiles falls asleep after some 400 ns, and takes 300 to wake. Of what
// the registers hold between blocks nothing is kept.
inline void keep_tiles_awake() { multiply_tiles<0, 1, 2>(); }

#else

// What those instructions do, to the bit: for machines that have none, under test.
alignas(64) inline thread_local float tile_registers[8][kTileRows][kTilePairs];
struct TileRegisters {};

template <int kTile>
inline void zero_tile() {
  std::memset(tile_registers[kTile], 0, sizeof tile_registers[kTile]);
}
template <int kTile>
inline void load_tile_bytes(const char* at, int64_t stride) {
  for (int r = 0; r < kTileRows; ++r) std::memcpy(tile_registers[kTile][r], at + r * stride, 64);
}
template <int kTile>
inline void store_tile(float* at, int64_t stride) {
  for (int r = 0; r < kTileRows; ++r) std::memcpy(at + r * stride, tile_registers[kTile][r], 64);
}
// Products of the first and of the second of pairs are summed apart, by fused multiply-adds, and then join the sum;
// what is smaller than a normal number is 0, before and after each. The same bits as 512,000 sums of a Xeon of 2023.
template <int kSum, int kFirst, int kSecond>
inline void multiply_tiles() {
  const auto flush = [](vfloat v) {
    return select(magnitude(v) < splat(0x1p-126f), from_bits(bits(v) & splat(INT32_MIN)), v);
  };
  const auto first_of = [&](vfloat pairs) { return flush(from_bits(bits(pairs) << 16)); };
  const auto second_of = [&](vfloat pairs) { return flush(second_of_pairs(pairs)); };
  for (int r = 0; r < kTileRows; ++r) {
    vfloat first{}, second{};
    for (int p = 0; p < kTilePairs; ++p) {
      const vfloat a = broadcast(&tile_registers[kFirst][r][p]), b = load(tile_registers[kSecond][p]);
      first = flush(fma(first_of(a), first_of(b), first));
      second = flush(fma(second_of(a), second_of(b), second));
    }
    float* const sum = tile_registers[kSum][r];
    store(sum, flush(flush(load(sum)) + flush(first + second)));
  }
}
inline void keep_tiles_awake() {}

#endif

// Rows lie so many floats apart.
template <int kTile>
inline void load_tile(const float* at, int64_t stride) {
  load_tile_bytes<kTile>(reinterpret_cast<const char*>(at), stride * int64_t{sizeof(float)});
}

// Calls body with each of the sums of a block, as constants: its row and its column of tiles, and its register.
template <int kRows, int kColumns, typename Body>
[[gnu::always_inline]] inline void for_each_sum(Body body) {
  const auto at = [&](auto row, auto column) {
    if constexpr (row() < kRows && column() < kColumns) {
      body(row, column, std::integral_constant<int, row() * kBlockTiles + column()>{});
    }
  };
  constexpr std::integral_constant<int, 0> zero;
  constexpr std::integral_constant<int, 1> one;
  at(zero, zero), at(zero, one), at(one, zero), at(one, one);
}

// The first factor of a block: tile (r, step) begins at at[r * tile + step * next], its rows `row` floats apart.
struct TileFactor {
  const float* at;
  int64_t row, tile, next;
};
// Of rows of pairs that lie so far apart.
inline TileFactor rows_of_pairs(const float* at, int64_t row) { return {at, row, kTileRows * row, kTilePairs}; }
// Of tiles one behind another, so many along a sum: the caches fetch ahead of whoever reads them.
constexpr int64_t kTileFloats = kTileRows * kTilePairs;
inline TileFactor whole_tiles(const float* at, int64_t steps) {
  return {at, kTilePairs, steps * kTileFloats, kTileFloats};
}

// C = A B or, with `add`, C += A B, of kRows by kColumns tiles: rows of pairs of B, and rows of C, so many floats
// apart; `steps` tiles along the sum.
template <int kRows, int kColumns>
inline void multiply_tile_block(const TileFactor& a, const float* b, int64_t b_row, int64_t steps, bool add, float* c,
                                int64_t c_row) {
  for_each_sum<kRows, kColumns>([&](auto row, auto column, auto sum) {
    if (add) {
      load_tile<sum()>(c + row() * kTileRows * c_row + column() * kTileRows, c_row);
    } else {
      zero_tile<sum()>();
    }
  });
  constexpr int kFirst = kBlockTiles * kBlockTiles, kSecond = kFirst + kBlockTiles;
  const float* first = a.at;
  for (int64_t step = 0; step < steps; ++step, first += a.next, b += kTilePairs * b_row) {
    load_tile<kFirst>(first, a.row);
    load_tile<kSecond>(b, b_row);
    if constexpr (kColumns == 2) load_tile<kSecond + 1>(b + kTileRows, b_row);
    if constexpr (kRows == 2) load_tile<kFirst + 1>(first + a.tile, a.row);
    for_each_sum<kRows, kColumns>([](auto row, auto column, auto sum) {
      multiply_tiles<sum(), kFirst + row(), kSecond + column()>();
    });
  }
  for_each_sum<kRows, kColumns>([&](auto row, auto column, auto sum) {
    store_tile<sum()>(c + row() * kTileRows * c_row + column() * kTileRows, c_row);
  });
}

// The same of up to two by two.
inline void multiply_tile_block(int rows, int columns, const TileFactor& a, const float* b, int64_t b_row,
                                int64_t steps, bool add, float* c, int64_t c_row) {
  const auto run = [&]<int kRows, int kColumns>() {
    multiply_tile_block<kRows, kColumns>(a, b, b_row, steps, add, c, c_row);
  };
  if (rows == 2) {
    columns == 2 ? run.template operator()<2, 2>() : run.template operator()<2, 1>();
  } else {
    columns == 2 ? run.template operator()<1, 2>() : run.template operator()<1, 1>();
  }
}

}  // namespace fovea::cpu::FOVEA_TIER

#endif
