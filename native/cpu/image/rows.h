// Rows of neighbours in images: what is read or written once from memory, eight elements at a time, which
// is as fast as memory is. Rows whose elements lie apart go through a buffer.
#pragma once

#include <algorithm>

#include "cpu/image/grid.h"
#include "cpu/image/output.h"
#include "cpu/vectors.h"

namespace fovea::cpu::FOVEA_TIER {

// How a row is written: through the caches, or past them in whole lines, while what is read when they have
// been written is fetched into L2, so that the memory reads and writes at the same time.
struct Cached {};
template <typename A>
struct Streamed {
  const A* next;
};

// Changes the elements of a row: make(i, n) gives those from i on, of which n, at most eight, are there.
template <typename T, typename Make>
inline void update_row(T* to, int64_t count, Make make) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) store8(to + i, make(i, 8));
  if (i < count) store_some(to + i, make(i, count - i), count - i);
}

// A line is read before it is written. It is asked for so many elements ahead, since a short row has ended before it is
// there.
constexpr int64_t kAhead = 256;

// Writes them, none of which `make` reads: the last eight at once, some of them for the second time, since
// a few alone take longer than a short row (49 pixels: a third of the pass).
template <typename T, typename Make>
inline void write_row(Cached, T* to, int64_t count, Make make) {
  if (count < 8) return store_some(to, make(0, count), count);
  for (int64_t i = 0; i + 8 <= count; i += 8) {
    __builtin_prefetch(to + i + kAhead, 1);
    store8(to + i, make(i, 8));
  }
  if (count % 8 > 0) store8(to + count - 8, make(count - 8, 8));
}

template <typename A, typename T, typename Make>
inline void write_row(Streamed<A> how, T* to, int64_t count, Make make) {
  for (int64_t i = 0; i < count; i += 16) {
    __builtin_prefetch(how.next + i, 0, 2);
    stream16(to + i, make(i, 8), make(i + 8, 8));
  }
}


// Elements [i, i + 8), of which `count` are there; the rest is zero.
template <typename T>
inline float8 load_of(const T* row, int64_t i, int64_t count) {
  return count == 8 ? load8(row + i) : load_some(row + i, count);
}

inline int8 lanes8() {
  static constexpr int32_t kLanes[] = {0, 1, 2, 3, 4, 5, 6, 7};
  return load_int8(kLanes);
}

// The last count % 8 of a row, with zeros before them.
template <typename T>
inline float8 load_last(const T* row, int64_t count) {
  if (count < 8) return load_some(row, count);
  const int8 there = lanes8() >= int32_t(8 - count % 8) - int8{};
  return from_bits8(bits8(load8(row + count - 8)) & there);
}

inline int8 load_index(const int32_t* row, int64_t i, int64_t count) {
  if (count == 8) return load_int8(row + i);
  int8 some{};
  for (int64_t k = 0; k < count; ++k) some[k] = row[i + k];
  return some;
}

// A row whose elements lie apart, on its way through a buffer.
constexpr int64_t kBuffered = 512;
template <typename T>
[[gnu::noinline]] void gather(const T* from, int64_t stride, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = to_float(from[i * stride]);
}
template <typename T>
[[gnu::noinline, gnu::flatten]] void scatter(const float* from, int64_t count, T* to, int64_t stride) {
  for (int64_t i = 0; i < count; ++i) to[i * stride] = from_float<T>(from[i]);
}

// Calls body(i, count, a, b) for parts of two rows, with their elements as neighbours from index i on.
template <typename A, typename B, typename Body>
inline void read_rows(const A* a, int64_t a_stride, const B* b, int64_t b_stride, int64_t count,
                      Body body) {
  if (a_stride == 1 && b_stride == 1) return body(int64_t{0}, count, a, b);
  float a_buffer[kBuffered], b_buffer[kBuffered];
  for (int64_t i = 0; i < count; i += kBuffered) {
    const int64_t n = std::min(kBuffered, count - i);
    gather(a + i * a_stride, a_stride, n, a_buffer);
    gather(b + i * b_stride, b_stride, n, b_buffer);
    body(i, n, static_cast<const float*>(a_buffer), static_cast<const float*>(b_buffer));
  }
}

template <typename A, typename Body>
inline void read_row(const A* a, int64_t stride, int64_t count, Body body) {
  if (stride == 1) return body(int64_t{0}, count, a);
  float buffer[kBuffered];
  for (int64_t i = 0; i < count; i += kBuffered) {
    const int64_t n = std::min(kBuffered, count - i);
    gather(a + i * stride, stride, n, buffer);
    body(i, n, static_cast<const float*>(buffer));
  }
}

// Calls body(how, i, count, a, to) for parts of a row that is read and one that is written; `next` is
// from this one to that which is read when it has been written, 0 for none.
template <typename A, typename T, typename Body>
[[gnu::always_inline]] inline void map_neighbours(const A* a, T* to, int64_t count, Output<T>& output,
                                                  int64_t next, const Body& body) {
  if (output.takes_lines(to, count)) return body(Streamed<A>{a + next}, int64_t{0}, count, a, to);
  for (int64_t i = 0; i < count; i += Output<T>::kElements) {
    const int64_t n = std::min(Output<T>::kElements, count - i);
    body(Cached{}, i, n, a + i, output.row(to + i, n));
  }
}
// The same of rows whose elements may lie apart.
template <typename A, typename T, typename Body>
inline void map_row(const A* a, int64_t a_stride, T* to, int64_t to_stride, int64_t count,
                    Output<T>& output, int64_t next, const Body& body) {
  if (a_stride == 1 && to_stride == 1) return map_neighbours(a, to, count, output, next, body);
  float from_buffer[kBuffered], to_buffer[kBuffered];
  for (int64_t i = 0; i < count; i += kBuffered) {
    const int64_t n = std::min(kBuffered, count - i);
    gather(a + i * a_stride, a_stride, n, from_buffer);
    body(Cached{}, i, n, static_cast<const float*>(from_buffer), static_cast<float*>(to_buffer));
    scatter(static_cast<const float*>(to_buffer), n, to + i * to_stride, to_stride);
  }
}

// The sum of a row, in four times eight parts.
template <typename T>
[[gnu::noinline]] float sum_row(const T* x, int64_t count) {
  float8 sum[4] = {};
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sum[k] += load8(x + i + 8 * k);
  }
  for (; i + 8 <= count; i += 8) sum[0] += load8(x + i);
  if (i < count) sum[1] += load_last(x, count);
  return sum_of((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

// out = x * gate, the same for the whole row, plus `add`; kAdds is whether there is anything to add.
template <bool kAdds, typename How, typename T, typename O>
[[gnu::noinline]] void scale_row(How how, const T* x, int64_t count, float gate, float add, O* out) {
  const float8 g = splat8(gate), a = splat8(add);
  write_row(how, out, count, [&](int64_t i, int64_t n) {
    const float8 y = load_of(x, i, n) * g;
    return kAdds ? y + a : y;
  });
}

// out = x * gate, each element its own, plus `add`, likewise.
template <bool kAdds, typename How, typename T, typename O>
[[gnu::noinline]] void multiply_row(How how, const T* x, int64_t count, const float* gate,
                                    const float* add, O* out) {
  write_row(how, out, count, [&](int64_t i, int64_t n) {
    const float8 y = load_of(x, i, n) * load_of(gate, i, n);
    return kAdds ? y + load_of(add, i, n) : y;
  });
}

}  // namespace fovea::cpu::FOVEA_TIER
