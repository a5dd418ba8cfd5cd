// Runs the program of a score modifier over a block of scores: an instruction at a time over all of them, so that
// what it costs to find out what it is counts once for some hundred scores.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/constants.h"
#include "cpu/attention/forward_layout.h"
#include "cpu/simd.h"
#include "ops/attention/modifier_program.h"

namespace fovea::attention::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// A register: the vectors of the n-th part of a block begin at at + n * step.
struct ModifierValues {
  const float* at;
  int step;
};

// A block is `outer` times kInner vectors of scores; a register of what is the same for all keys has kInner.
template <int kInner>
class ModifierRun {
 public:
  static constexpr int kWidth = kInner * kLanes;

  using Values = ModifierValues;

  // `memory` has room for registers of up to `most` times kInner vectors.
  ModifierRun(const ModifierProgram& program, float* memory, int most)
      : program_(program),
        rows_(memory),
        keys_(memory + ModifierProgram::kRowRegisters * kWidth),
        most_(most),
        scores_(key_register(ModifierProgram::kKey) - most_ * kWidth) {}

  // Of the numbers that heads have: lane by lane where those of its head begin.
  void set_table(const float* table, int64_t stride, int64_t columns) {
    table_ = table;
    table_stride_ = stride;
    columns_ = columns;
  }
  void set_lane(int lane, int64_t batch, int64_t head, int64_t position, int64_t table) {
    rows_[ModifierProgram::kBatch * kWidth + lane] = float(batch);
    rows_[ModifierProgram::kHead * kWidth + lane] = float(head);
    rows_[ModifierProgram::kQuery * kWidth + lane] = float(position);
    table_of_[lane] = table;
  }

  void run_rows() { run(0, program_.rows(), 1); }

  // Of the scores and keys that are there, one part after the other.
  void run_value(int outer) { run(program_.rows(), program_.value_end(), outer); }
  void run_gradients(int outer) { run(program_.value_end(), program_.count(), outer); }

  float* keys() const { return key_register(ModifierProgram::kKey); }
  float* scores() const { return scores_; }
  // Takes them where they are, instead of a copy: values of the program may be these.
  void set_scores(float* scores) { scores_ = scores; }

  const ModifierProgram& program() const { return program_; }
  Values values(int at) const {
    return ModifierProgram::is_row(at) ? Values{rows_ + at * kWidth, 0} : Values{key_register(at), kWidth};
  }

 private:
  float* key_register(int at) const {
    if (at == ModifierProgram::kScore) return scores_;
    return keys_ + int64_t{at - ModifierProgram::kRowRegisters} * most_ * kWidth;
  }
  float* target(int at) const {
    return ModifierProgram::is_row(at) ? rows_ + at * kWidth : key_register(at);
  }

  void run(int begin, int end, int outer) {
    for (int i = begin; i < end; ++i) execute(program_.at(i), outer);
  }

  template <typename Body>
  void unary(const ModifierInstruction& it, int outer, Body body) const {
    const Values a = values(it.a);
    float* const to = target(it.to);
    for (int n = 0; n < outer; ++n) {
      for (int v = 0; v < kWidth; v += kLanes) {
        store(to + n * kWidth + v, body(load(a.at + n * a.step + v)));
      }
    }
  }
  template <typename Body>
  void binary(const ModifierInstruction& it, int outer, Body body) const {
    const Values a = values(it.a), b = values(it.b);
    float* const to = target(it.to);
    for (int n = 0; n < outer; ++n) {
      for (int v = 0; v < kWidth; v += kLanes) {
        store(to + n * kWidth + v, body(load(a.at + n * a.step + v), load(b.at + n * b.step + v)));
      }
    }
  }
  template <typename Body>
  void compare(const ModifierInstruction& it, int outer, Body body) const {
    binary(it, outer, [&](vfloat a, vfloat b) { return select(body(a, b), splat(1.0f), vfloat{}); });
  }

  void look_up(const ModifierInstruction& it, int outer) const {
    const Values column = values(it.a);
    float* const to = target(it.to);
    const float last = float(columns_ - 1);
    for (int n = 0; n < outer; ++n) {
      for (int lane = 0; lane < kWidth; ++lane) {
        const int64_t at = column_of(column.at[n * column.step + lane], last);
        to[n * kWidth + lane] = table_[table_of_[lane] + at * table_stride_];
      }
    }
  }

  void choose(const ModifierInstruction& it, int outer) const {
    const Values condition = values(it.a), a = values(it.b), b = values(it.word);
    float* const to = target(it.to);
    for (int n = 0; n < outer; ++n) {
      for (int v = 0; v < kWidth; v += kLanes) {
        store(to + n * kWidth + v,
              select(load(condition.at + n * condition.step + v) != vfloat{},
                     load(a.at + n * a.step + v), load(b.at + n * b.step + v)));
      }
    }
  }

  void execute(const ModifierInstruction& it, int outer) const {
    using enum ModifierOp;
    switch (it.op) {
      case kConstant:
        for (int v = 0; v < outer * kWidth; v += kLanes) {
          store(target(it.to) + v, splat(it.constant()));
        }
        return;
      case kTable:
        return look_up(it, outer);
      case kAdd:
        return binary(it, outer, [](vfloat a, vfloat b) { return a + b; });
      case kSubtract:
        return binary(it, outer, [](vfloat a, vfloat b) { return a - b; });
      case kMultiply:
        return binary(it, outer, [](vfloat a, vfloat b) { return a * b; });
      case kDivide:
        return binary(it, outer, [](vfloat a, vfloat b) { return a / b; });
      case kMinimum:
        return binary(it, outer, [](vfloat a, vfloat b) { return select(b < a, b, a); });
      case kMaximum:
        return binary(it, outer, [](vfloat a, vfloat b) { return select(a < b, b, a); });
      case kAbsolute:
        return unary(it, outer, [](vfloat a) { return magnitude(a); });
      case kFloor:
        return unary(it, outer, [](vfloat a) { return floor(a); });
      case kSquareRoot:
        return unary(it, outer, [](vfloat a) { return sqrt(a); });
      case kExponential:
        return unary(it, outer, [](vfloat a) { return exponential(a); });
      case kLogarithm:
        return unary(it, outer, [](vfloat a) { return logarithm(a); });
      case kTanh:
        return unary(it, outer, [](vfloat a) { return tanh(a); });
      case kSigmoid:
        return unary(it, outer, [](vfloat a) { return sigmoid(a); });
      case kBelow:
        return compare(it, outer, [](vfloat a, vfloat b) { return a < b; });
      case kAtMost:
        return compare(it, outer, [](vfloat a, vfloat b) { return a <= b; });
      case kEqual:
        return compare(it, outer, [](vfloat a, vfloat b) { return a == b; });
      case kSelect:
        return choose(it, outer);
      case kBatch:
      case kHead:
      case kQuery:
      case kScore:
      case kKey:
      case kCount:
        return;  // no instructions
    }
  }

 public:
  // The column that a number names: the first where it is NaN.
  static int64_t column_of(float x, float last) {
    return x > 0 ? int64_t(std::min(x, last)) : 0;
  }

 private:
  // In two factors: 2^x of simd.h ends at 126.
  static vfloat exponential(vfloat x) {
    const vfloat y = min(splat(256.0f), x * splat(float(kLog2e)));
    const vfloat half = min(splat(126.0f), y * splat(0.5f));
    return exp2(half) * exp2(min(splat(126.0f), y - half)) *
           select(y > splat(252.0f), splat(INFINITY), splat(1.0f));
  }
  // Of subnormal numbers, too.
  static vfloat logarithm(vfloat x) {
    const vint small = x < splat(0x1p-100f);
    const vfloat y = log2(select(small, x * splat(0x1p100f), x)) - select(small, splat(100.0f), vfloat{});
    const vfloat all = select(x == splat(INFINITY), x, y * splat(float(kLn2)));
    return select(x >= vfloat{}, all, splat(NAN));
  }

  const ModifierProgram program_;
  float* const rows_;
  float* const keys_;
  const int64_t most_;
  float* scores_;
  const float* table_ = nullptr;
  int64_t table_stride_ = 0, columns_ = 0;
  int64_t table_of_[kWidth] = {};
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
