// Runs the program of a score modifier in a kernel, for one row of queries and one of its keys after the other.
//
// One source, two readers of the program. Kernels that are compiled for a program (FOVEA_MODIFIER_WORDS is its
// words) have it as constants: loops over instructions unroll, the choice between them and all registers are
// the compiler's, and what is left is what one would have written by hand. The simulator reads the words.
// Kernels that nvcc compiled ahead run none.
#pragma once

#include "cuda/attention/params.h"
#include "cuda/sigmoid.cuh"
#include "ops/attention/modifier_program.h"
#include "tile/memory.cuh"

namespace fovea::attention::cuda {

#ifdef FOVEA_MODIFIER_WORDS
constexpr bool kRunsPrograms = true;
__device__ constexpr int32_t kModifierWords[] = {FOVEA_MODIFIER_WORDS};
struct ModifierWords {
  FOVEA_DEVICE explicit ModifierWords(const int32_t*) {}
  FOVEA_DEVICE int32_t operator[](int i) const { return kModifierWords[i]; }
};
#else
#ifdef __CUDACC__
constexpr bool kRunsPrograms = false;
#else
constexpr bool kRunsPrograms = true;
#endif
struct ModifierWords {
  const int32_t* words;
  FOVEA_DEVICE explicit ModifierWords(const int32_t* words) : words(words) {}
  FOVEA_DEVICE int32_t operator[](int i) const { return tile::load_global(words + i); }
};
#endif

class ModifierRun {
 public:
  using Program = ModifierProgramIn<ModifierWords>;

  // Of a row that exists.
  FOVEA_DEVICE ModifierRun(const AttentionParams& p, int32_t batch, int32_t head, int32_t position)
      : p_(p),
        program_(ModifierWords(p.modifier_program)),
        table_(p.modifier_table + head * p.spec.modifier_table_stride[0]) {
    values_[Program::kBatch] = float(batch);
    values_[Program::kHead] = float(head);
    values_[Program::kQuery] = float(position);
    run(0, program_.rows());
  }

  // What becomes of a score.
  FOVEA_DEVICE float apply(float score, int32_t key) {
    values_[Program::kScore] = score;
    values_[Program::kKey] = float(key);
    run(program_.rows(), program_.value_end());
    return values_[program_.value()];
  }

  // Of the last one. Its derivatives by the score, and by what a load has found in a column of the table.
  FOVEA_DEVICE void differentiate() { run(program_.value_end(), program_.count()); }
  FOVEA_DEVICE float slope() const { return values_[program_.slope()]; }
  FOVEA_DEVICE float partial(int load) const { return values_[program_.partial(load)]; }
  FOVEA_DEVICE int32_t column(int load) const { return column_of(values_[program_.column(load)]); }

 private:
  // The first where x is NaN.
  FOVEA_DEVICE int32_t column_of(float x) const {
    return x > 0 ? int32_t(tile::minimum(x, float(p_.spec.modifier_columns - 1))) : 0;
  }

  FOVEA_DEVICE void run(int begin, int end) {
    FOVEA_UNROLL
    for (int i = begin; i < end; ++i) {
      const ModifierInstruction it = program_.at(i);
      values_[it.to] = execute(it);
    }
  }

  FOVEA_DEVICE float execute(const ModifierInstruction& it) const {
    using enum ModifierOp;
    const auto a = [&] { return values_[it.a]; };
    const auto b = [&] { return values_[it.b]; };
    const auto truth = [](bool condition) { return condition ? 1.0f : 0.0f; };
    switch (it.op) {
      case kConstant:
        return it.constant();
      case kTable:
        return tile::load_global(table_ + column_of(a()) * p_.spec.modifier_table_stride[1]);
      case kAdd:
        return a() + b();
      case kSubtract:
        return a() - b();
      case kMultiply:
        return a() * b();
      case kDivide:
        return a() / b();
      case kMinimum:
        return b() < a() ? b() : a();
      case kMaximum:
        return a() < b() ? b() : a();
      case kAbsolute:
        return __builtin_fabsf(a());
      case kFloor:
        return __builtin_floorf(a());
      case kSquareRoot:
        return tile::square_root(a());
      case kExponential:
        return tile::exp_accurate(a());
      case kLogarithm:
        return tile::log_accurate(a());
      case kTanh:
        return tile::tanh_accurate(a());
      case kSigmoid:
        return fovea::cuda::sigmoid(a());
      case kBelow:
        return truth(a() < b());
      case kAtMost:
        return truth(a() <= b());
      case kEqual:
        return truth(a() == b());
      case kSelect:
        return a() != 0 ? b() : values_[it.word];
      default:
        return 0;  // inputs, which are no instructions
    }
  }

  const AttentionParams& p_;
  const Program program_;
  const float* const table_;
  float values_[Program::kRegisters];
};

FOVEA_DEVICE int count_loads(const AttentionParams& p) {
  return ModifierRun::Program(ModifierWords(p.modifier_program)).loads();
}

}  // namespace fovea::attention::cuda
