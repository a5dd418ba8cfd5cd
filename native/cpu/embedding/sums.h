// Rows of the gradient of a table, each the sum over its tokens.
#pragma once

#include "cpu/embedding/kernels.h"
#include "cpu/image/rows.h"

namespace fovea::embedding::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// The tokens of all rows, one row's after the other's.
struct Tokens {
  const Indices& of;
  const int32_t *starts, *order;
  int64_t batch, length;

  Tokens(const Spec& spec, const Sums& sums)
      : of(sums.gradient.of),
        starts(sums.starts),
        order(sums.order),
        batch(spec.batch),
        length(spec.length) {}

  // Where those of a row begin.
  int64_t first_of(int64_t row) const {
    return of.given ? starts[row] : std::min(row, length) * batch;
  }
  bool is_empty(int64_t row) const { return first_of(row) == first_of(row + 1); }

  // Where a token lies in a tensor.
  int64_t offset(int64_t at, const int64_t (&stride)[2]) const {
    if (!of.given) return at % batch * stride[0] + at / batch * stride[1];
    const int64_t token = order[at];
    if (stride[0] == length * stride[1]) return token * stride[1];
    return token / length * stride[0] + token % length * stride[1];
  }

  // The first row of a part, which has as many tokens as any other, or one row.
  int64_t row_of(int64_t part, int64_t parts) const {
    const int64_t share = first_of(of.rows) * part / parts;
    int64_t low = 0, high = of.rows;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (first_of(middle) < share) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

// The rows without tokens of a part, dealt out to its tokens: they are written while dout is read, since
// memory does both at once.
class EmptyRows {
 public:
  EmptyRows(const Tokens& tokens, int64_t part, int64_t parts)
      : tokens_(tokens),
        row_(tokens.of.rows * part / parts - 1),
        end_(tokens.of.rows * (part + 1) / parts) {
    int64_t count = 0;
    for (int64_t row = row_ + 1; row < end_; ++row) count += tokens.is_empty(row);
    next();
    const int64_t begin = tokens.row_of(part, parts), end = tokens.row_of(part + 1, parts);
    share_ = float(count) / float(std::max<int64_t>(1, tokens.first_of(end) - tokens.first_of(begin)));
  }

  // So many tokens are read.
  void owe(int64_t tokens) { owed_ += share_ * float(tokens); }
  // A row, or -1 if none is owed.
  int64_t take_owed() {
    if (owed_ < 1) return -1;
    owed_ -= 1;
    return take();
  }
  // A row, or -1 if none is left.
  int64_t take() {
    if (row_ == end_) return -1;
    const int64_t row = row_;
    next();
    return row;
  }

 private:
  void next() {
    do ++row_;
    while (row_ < end_ && !tokens_.is_empty(row_));
  }

  const Tokens& tokens_;
  int64_t row_;
  const int64_t end_;
  float share_, owed_ = 0;
};

// An item: a tile of columns of a part of the rows that have tokens, and of a part of those that have none.
template <typename T>
class RowSums {
 public:
  RowSums(const Spec& spec, const T* dout, const Sums& sums, int64_t item)
      : spec_(spec),
        tokens_(spec, sums),
        column_(item % sums.tiles * sums.columns),
        columns_(std::min(sums.columns, spec.width - column_)),
        dout_(dout + column_),
        to_(sums.gradient.data + column_),
        stride_(sums.gradient.stride),
        scale_(splat8(sums.gradient.scale)),
        part_(item / sums.tiles),
        parts_(sums.parts),
        output_(!spec.accumulate && sums.gradient.of.rows * spec.width * int64_t{sizeof(float)} >=
                                        kStreamedBytes),
        streams_(output_.takes_lines(to_, columns_) && stride_ % 16 == 0),
        empty_(tokens_, part_, parts_) {}

  void run() {
    const int64_t begin = tokens_.row_of(part_, parts_), end = tokens_.row_of(part_ + 1, parts_);
    const int64_t first = tokens_.first_of(begin);
    last_ = tokens_.first_of(end);
    for (int64_t at = first; at < std::min(first + kAhead, last_); ++at) {
      prefetch_row(dout_of(at), columns_);
    }
    for (int64_t row = begin; row < end; ++row) {
      const int64_t its_first = tokens_.first_of(row), its_last = tokens_.first_of(row + 1);
      if (its_first < its_last) write_sum(its_first, its_last, to_ + row * stride_);
    }
    for (int64_t row; !spec_.accumulate && (row = empty_.take()) >= 0;) put_zeros(row);
    output_.end();
  }

 private:
  static constexpr int kGroup = 4;  // tokens that join a sum which is loaded and stored once
  static constexpr int64_t kAhead = 4;

  const T* dout_of(int64_t at) const { return dout_ + tokens_.offset(at, spec_.dout_stride); }

  void write_sum(int64_t first, int64_t last, float* to) {
    const float* sum = nullptr;
    for (; last - first > kGroup; first += kGroup, sum = sum_) add_group(first, sum);
    switch (last - first) {
      case 1:
        return write<1>(first, sum, to);
      case 2:
        return write<2>(first, sum, to);
      case 3:
        return write<3>(first, sum, to);
      default:
        return write<4>(first, sum, to);
    }
  }

  // Some tokens of a row. While they are read, line by line, those that come behind are fetched and rows
  // without tokens written: by whole rows, either takes as long as if it were alone.
  template <int kCount>
  struct Group {
    const T* row[kCount];
    const T* next[kCount];
    float* empty[kCount];

    Group(RowSums& of, int64_t first) {
      of.empty_.owe(kCount);
      for (int k = 0; k < kCount; ++k) {
        row[k] = of.dout_of(first + k);
        next[k] = of.dout_of(std::min(first + k + kAhead, of.last_ - 1));
        const int64_t it = of.streams_ ? of.empty_.take_owed() : -1;
        empty[k] = it < 0 ? nullptr : of.to_ + it * of.stride_;
      }
    }
    // Beside sixteen columns.
    void go_on(int64_t i) const {
#pragma GCC unroll 4
      for (int k = 0; k < kCount; ++k) {
        __builtin_prefetch(next[k] + i, 0, 2);
        if (empty[k] != nullptr) stream16(empty[k] + i, float8{}, float8{});
      }
    }
    // On top of `sum`, if that is not null.
    float8 add(const float* sum, int64_t i, int64_t n) const {
      float8 v = load_of(row[0], i, n);
      if (sum != nullptr) v = load_of(sum, i, n) + v;
#pragma GCC unroll 4
      for (int k = 1; k < kCount; ++k) v += load_of(row[k], i, n);
      return v;
    }
  };

  [[gnu::noinline]] void add_group(int64_t first, const float* sum) {
    const Group<kGroup> group(*this, first);
    update_row(sum_, columns_, [&](int64_t i, int64_t n) {
      if (i % 16 == 0) group.go_on(i);
      return group.add(sum, i, n);
    });
  }

  template <int kCount>
  [[gnu::noinline]] void write(int64_t first, const float* sum, float* to) {
    const Group<kCount> group(*this, first);
    const auto make = [&](int64_t i, int64_t n) {
      if (i % 16 == 0) group.go_on(i);
      return group.add(sum, i, n) * scale_;
    };
    if (!spec_.accumulate) return put(to, make);
    update_row(to, columns_, [&](int64_t i, int64_t n) { return load_of(to, i, n) + make(i, n); });
  }

  void put_zeros(int64_t row) {
    put(to_ + row * stride_, [](int64_t, int64_t) { return float8{}; });
  }

  template <typename Make>
  void put(float* to, Make make) {
    if (output_.takes_lines(to, columns_)) {
      for (int64_t i = 0; i < columns_; i += 16) {
        const float8 low = make(i, 8);
        stream16(to + i, low, make(i + 8, 8));
      }
    } else {
      write_row(Cached{}, output_.row(to, columns_), columns_, make);
    }
  }

  const Spec& spec_;
  const Tokens tokens_;
  const int64_t column_, columns_;
  const T* const dout_;
  float* const to_;
  const int64_t stride_;
  const float8 scale_;
  const int64_t part_, parts_;
  int64_t last_ = 0;  // behind the tokens of this part
  Output<float> output_;
  const bool streams_;  // rows are whole lines that go past the caches
  EmptyRows empty_;
  alignas(64) float sum_[kMostColumns];
};

template <typename T>
void sum_part(const Spec& spec, const T* dout, const Sums& sums, int64_t item) {
  RowSums<T>(spec, dout, sums, item).run();
}

}  // namespace fovea::embedding::cpu::FOVEA_TIER
