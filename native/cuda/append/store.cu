// New rows of keys or values: some threads of a warp have a tile of one head, and of each of its rows packets. Rows that
// are not of a floating type in the cache are read twice, for their scale and for themselves.

#include "core/cache_types.h"
#include "cuda/append/params.h"
#include "cuda/packets.cuh"
#include "ops/append/scale.h"
#include "tile/warp.cuh"

namespace fovea::append::cuda {
namespace {

// The bits of an element, of 4 or 8 of them.
FOVEA_DEVICE uint32_t code_of(int32_t dtype, float x) {
  if (dtype == FOVEA_FLOAT8_E4M3) return round_to_e4m3(x);
  return uint32_t(round_within(x, most_of(dtype))) & (dtype == FOVEA_INT8 ? 0xff : 0xf);
}

// A byte of a cache with what it holds multiplied by `ratio`.
FOVEA_DEVICE uint8_t scaled(int32_t dtype, uint8_t bits, float ratio) {
  if (dtype == FOVEA_INT8) return uint8_t(code_of(dtype, float(int8_t(bits)) * ratio));
  if (dtype == FOVEA_FLOAT8_E4M3) return uint8_t(code_of(dtype, to_float(float8_e4m3{bits}) * ratio));
  const float even = to_float(int4x2{bits}, 0) * ratio, odd = to_float(int4x2{bits}, 1) * ratio;
  return uint8_t(code_of(dtype, even) | code_of(dtype, odd) << 4);
}

// A tile of a head: new rows [first, end), of which row s becomes row start + s of the cache.
struct Job {
  int32_t batch, head, origin, start, first, end;

  FOVEA_DEVICE Job(const AppendParams& p, int which, int32_t number)
      : batch(number / p.heads / p.tiles[which]), head(number % p.heads), origin(0), start(0), first(0), end(0) {
    if (batch >= p.batch) return;
    int32_t rows = p.length;
    if (p.cu_seqlens != nullptr) {
      origin = within(tile::load_global(p.cu_seqlens + batch), p.new_total);
      rows = within(within(tile::load_global(p.cu_seqlens + batch + 1), p.new_total) - origin, rows);
    } else if (p.lengths != nullptr) {
      rows = within(tile::load_global(p.lengths + batch), rows);
    }
    start = tile::load_global(p.starts + batch);
    // Rows that the cache has no room for are left out.
    rows = start < 0 ? 0 : within(int64_t{p.cache_length} - start, rows);
    const bool pages = p.shared[which] && p.page_size > 0;
    const int32_t before = pages ? start % p.page_size : 0;
    const int64_t from = int64_t{number / p.heads % p.tiles[which]} * p.tile[which] - before;
    first = within(from, rows);
    end = within(from + p.tile[which], rows);
  }

  FOVEA_DEVICE static int32_t within(int64_t x, int64_t most) {
    return int32_t(x < 0 ? 0 : x > most ? most : x);
  }
};

template <int kBytes, int kPacket>
struct Store {
  const AppendParams& p;
  const RowsParams& r;
  const Job job;
  const int32_t lane;
  const bool is_shared;

  FOVEA_DEVICE Store(const AppendParams& params, int which, int32_t number, int32_t lane)
      : p(params), r(params.rows[which]), job(params, which, number), lane(lane), is_shared(params.shared[which]) {}

  // All threads of a warp are in the same round: they exchange what they found.
  FOVEA_DEVICE void run(int32_t rows) const {
    if (is_shared) {
      put_rows(job.first, job.end);
      return;
    }
    FOVEA_NO_UNROLL
    for (int32_t i = 0; i < rows; ++i) {
      const int32_t row = job.first + i;
      put_rows(row, row < job.end ? row + 1 : row);
    }
  }

 private:
  // Those that have one scale between them, or one row.
  FOVEA_DEVICE void put_rows(int32_t first, int32_t end) const {
    int32_t page = 0;
    if (first < end && !find_page(first, page)) end = first;
    float factor = 1;
    if (r.scales != nullptr) factor = put_scale(first, end, page);
    FOVEA_NO_UNROLL
    for (int32_t row = first; row < end; ++row) {
      FOVEA_NO_UNROLL
      for (int32_t i = lane; i < r.packets; i += p.lanes) {
        float x[kPacket];
        load(row, i * kPacket, x);
        if (is_quantized(p.cache_dtype)) {
          FOVEA_UNROLL
          for (int e = 0; e < kPacket; ++e) x[e] *= factor;
        }
        store(cache_row(page, row), i, x);
      }
    }
  }

  FOVEA_DEVICE float put_scale(int32_t first, int32_t end, int32_t page) const {
    int32_t largest = 0;
    FOVEA_NO_UNROLL
    for (int32_t row = first; row < end; ++row) {
      FOVEA_NO_UNROLL
      for (int32_t i = lane; i < r.packets; i += p.lanes) {
        float x[kPacket];
        load(row, i * kPacket, x);
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) {
          const auto size = int32_t(tile::as_bits(x[e]) & 0x7fffffffu);
          largest = size > largest ? size : largest;
        }
      }
    }
    FOVEA_NO_UNROLL
    for (int32_t mask = p.lanes / 2; mask > 0; mask /= 2) {
      const int32_t other = tile::shuffle_xor(largest, uint32_t(mask));
      largest = other > largest ? other : largest;
    }
    const float most = most_of(p.cache_dtype);
    float* const at = r.scales + page * r.scales_stride[0] + in_page(first) * r.scales_stride[1] + job.head;
    const int32_t begin = first - in_page(first);
    const bool has_earlier = is_shared && first < end && begin < first;
    const float earlier = has_earlier ? tile::load_global(at) : 0.0f;
    // Read by all before one of them writes it.
    tile::sync_warp();
    float scale = is_shared ? scale_of_page(largest, most) : scale_of_row(largest, most);
    if (has_earlier) {
      scale = larger_scale(earlier, scale);
      if (scale > earlier) scale_rows(page, begin, first, earlier / scale);
    }
    if (first < end && lane == 0) tile::store_global(at, scale);
    return inverse_of(scale);
  }

  FOVEA_DEVICE void scale_rows(int32_t page, int32_t first, int32_t end, float ratio) const {
    const int32_t bytes = r.columns / element_values(p.cache_dtype);
    FOVEA_NO_UNROLL
    for (int32_t row = first; row < end; ++row) {
      auto* const to = reinterpret_cast<uint8_t*>(cache_row(page, row));
      FOVEA_NO_UNROLL
      for (int32_t i = lane; i < bytes; i += p.lanes) {
        tile::store_global(to + i, scaled(p.cache_dtype, tile::load_global(to + i), ratio));
      }
    }
  }

  // False where the table has none for that new row.
  FOVEA_DEVICE bool find_page(int32_t row, int32_t& page) const {
    page = job.batch;
    if (p.page_size == 0) return true;
    const int32_t column = (job.start + row) / p.page_size;
    page = tile::load_global(p.block_table + job.batch * p.block_table_stride + column);
    return page >= 0 && page < p.page_count;
  }

  FOVEA_DEVICE int32_t in_page(int32_t row) const {
    return p.page_size == 0 ? job.start + row : (job.start + row) % p.page_size;
  }

  // Of a new row, or of one before them.
  FOVEA_DEVICE char* cache_row(int32_t page, int32_t row) const {
    return r.cache + page * r.cache_stride[0] + in_page(row) * r.cache_stride[1] + job.head * r.cache_stride[2];
  }

  FOVEA_DEVICE void load(int32_t row, int32_t column, float (&x)[kPacket]) const {
    const int64_t at = job.batch * r.from_stride[0] + (job.origin + row) * r.from_stride[1] +
                       job.head * r.from_stride[2];
    if constexpr (kPacket <= 2) {
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] = load_element(at, row, column + e);
      return;
    }
    load_as_floats(at + column, x);
    if (column >= 2 * r.pairs) return;
    float other[kPacket];
    const bool low = p.interleaved || column < r.pairs;
    if (!p.interleaved) load_as_floats(at + column + (low ? r.pairs : -r.pairs), other);
    const Angle angle(*this, row);
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; e += 2) {
      if (p.interleaved) {
        const int32_t pair = (column + e) / 2;
        const float first = x[e], second = x[e + 1];
        x[e] = angle.turned(pair, first, second, true);
        x[e + 1] = angle.turned(pair, second, first, false);
      } else {
        const int32_t pair = column + e - (low ? 0 : r.pairs);
        x[e] = angle.turned(pair, x[e], other[e], low);
        x[e + 1] = angle.turned(pair + 1, x[e + 1], other[e + 1], low);
      }
    }
  }

  FOVEA_DEVICE float load_element(int64_t at, int32_t row, int32_t column) const {
    float x[1], other[1];
    load_as_floats(at + column, x);
    if (column >= 2 * r.pairs) return x[0];
    const bool low = p.interleaved ? column % 2 == 0 : column < r.pairs;
    const int32_t apart = p.interleaved ? 1 : r.pairs;
    load_as_floats(at + (low ? column + apart : column - apart), other);
    const int32_t pair = p.interleaved ? column / 2 : low ? column : column - r.pairs;
    return Angle(*this, row).turned(pair, x[0], other[0], low);
  }

  // A row of the tables.
  struct Angle {
    const float *cosines, *sines;
    bool exists;

    FOVEA_DEVICE Angle(const Store& s, int32_t row) {
      const AppendParams& p = s.p;
      const int64_t position =
          p.positions == nullptr
              ? int64_t{s.job.start} + row
              : tile::load_global(p.positions + s.job.batch * p.positions_stride + s.job.origin + row);
      exists = position >= 0 && position < p.position_count;
      const int64_t at = exists ? position : 0;
      cosines = p.cosines + s.job.batch * p.cosines_stride[0] + at * p.cosines_stride[1];
      sines = p.sines + s.job.batch * p.sines_stride[0] + at * p.sines_stride[1];
    }

    // NaN where there is no such position.
    FOVEA_DEVICE float turned(int32_t pair, float x, float other, bool is_first) const {
      if (!exists) return tile::as_float(0x7fffffffu);
      const float product = tile::multiply_alone(tile::load_global(sines + pair), other);
      const float own = tile::multiply_alone(tile::load_global(cosines + pair), x);
      return is_first ? own - product : own + product;
    }
  };

  template <int kCount>
  FOVEA_DEVICE void load_as_floats(int64_t at, float (&x)[kCount]) const {
    uint32_t words[(kBytes * kCount + 3) / 4];
    load_packet<kBytes, kCount>(r.from, at, words);
    widen_packet<kBytes, kCount>(r.from, words, x);
  }

  FOVEA_DEVICE void store(char* row, int32_t number, const float (&x)[kPacket]) const {
    const PacketTensor to = {row, p.cache_dtype, r.cache_whole};
    const int64_t at = int64_t{number} * kPacket;
    if (p.cache_dtype == FOVEA_FLOAT32) {
      if constexpr (kPacket != 8) store_rounded<4>(to, at, x);
    } else if (!is_quantized(p.cache_dtype)) {
      store_rounded<2>(to, at, x);
    } else if (p.cache_dtype != FOVEA_INT4X2) {
      store_codes<8>(row + at, x);
    } else if constexpr (kPacket > 1) {
      store_codes<4>(row + at / 2, x);
    }
  }

  template <int kTo>
  FOVEA_DEVICE void store_rounded(const PacketTensor& to, int64_t at, const float (&x)[kPacket]) const {
    uint32_t words[(kTo * kPacket + 3) / 4];
    round_packet<kTo, kPacket>(to, x, words);
    store_packet<kTo, kPacket>(to, at, words);
  }

  template <int kBits>
  FOVEA_DEVICE void store_codes(char* to, const float (&x)[kPacket]) const {
    constexpr int kCodeBytes = kBits * kPacket / 8;
    uint32_t words[(kCodeBytes + 3) / 4] = {};
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      words[e * kBits / 32] |= code_of(p.cache_dtype, x[e]) << e * kBits % 32;
    }
    if (r.cache_whole) {
      if constexpr (kCodeBytes == 8) {
        tile::store_pair(to, words[0], words[1]);
      } else if constexpr (kCodeBytes == 4) {
        tile::store_global(reinterpret_cast<uint32_t*>(to), words[0]);
      } else if constexpr (kCodeBytes == 2) {
        tile::store_global(reinterpret_cast<uint16_t*>(to), uint16_t(words[0]));
      } else {
        tile::store_global(reinterpret_cast<uint8_t*>(to), uint8_t(words[0]));
      }
      return;
    }
    FOVEA_UNROLL
    for (int i = 0; i < kCodeBytes; ++i) {
      tile::store_global(reinterpret_cast<uint8_t*>(to) + i, uint8_t(words[i / 4] >> i % 4 * 8));
    }
  }
};

// Calls body with a null pointer of the Store that goes with rows, those of keys or of values.
template <typename Body>
FOVEA_DEVICE void with_store(const RowsParams& rows, Body body) {
  if (rows.from.dtype == FOVEA_FLOAT32) {
    if (rows.packet == 1) return body(static_cast<Store<4, 1>*>(nullptr));
    if (rows.packet == 2) return body(static_cast<Store<4, 2>*>(nullptr));
    return body(static_cast<Store<4, 4>*>(nullptr));
  }
  if (rows.packet == 1) return body(static_cast<Store<2, 1>*>(nullptr));
  if (rows.packet == 2) return body(static_cast<Store<2, 2>*>(nullptr));
  if (rows.packet == 4) return body(static_cast<Store<2, 4>*>(nullptr));
  body(static_cast<Store<2, 8>*>(nullptr));
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void append_store(const AppendParams p) {
  const auto item = int32_t(p.first_item + tile::block_index());
  const int which = item < p.blocks[0] ? 0 : 1;
  const auto thread = int32_t(tile::thread_index());
  const int32_t number = (item - (which == 0 ? 0 : p.blocks[0])) * (kThreads / p.lanes) + thread / p.lanes;
  with_store(p.rows[which], [&](auto* store) {
    std::remove_pointer_t<decltype(store)>(p, which, number, thread % p.lanes).run(p.tile[which]);
  });
}

}  // namespace

AppendKernel* store_kernel() { return append_store; }

}  // namespace fovea::append::cuda
