// A score modifier as it is handed to kernels: what java/fovea's ModifierProgram writes.
#pragma once

#include <cstdint>

#include "core/everywhere.h"

namespace fovea::attention {

enum class ModifierOp : uint8_t {
  kConstant,  // instruction.constant
  kBatch,
  kHead,
  kQuery,
  kScore,
  kKey,
  kTable,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMinimum,
  kMaximum,
  kAbsolute,
  kFloor,
  kSquareRoot,
  kExponential,
  kLogarithm,
  kTanh,
  kSigmoid,
  kBelow,
  kAtMost,
  kEqual,
  kSelect,  // a ? b : instruction.c()
  kCount,
};

struct ModifierInstruction {
  ModifierOp op;
  uint8_t to, a, b;  // registers
  int32_t word;

  FOVEA_EVERYWHERE float constant() const { return __builtin_bit_cast(float, word); }
  int operands() const {
    return op < ModifierOp::kTable                                                     ? 0
           : op == ModifierOp::kTable || (op >= ModifierOp::kAbsolute && op < ModifierOp::kBelow) ? 1
           : op == ModifierOp::kSelect                                                ? 3
                                                                                      : 2;
  }
};

// Registers below kRowRegisters hold what is the same for all keys of a query, the others what is not. The
// first of each kind are inputs.
struct ModifierRegisters {
  static constexpr int kRowRegisters = 64, kKeyRegisters = 32, kRegisters = kRowRegisters + kKeyRegisters;
  static constexpr int kBatch = 0, kHead = 1, kQuery = 2, kRowInputs = 3;
  static constexpr int kScore = kRowRegisters, kKey = kRowRegisters + 1,
                       kKeyInputs = kRowRegisters + 2;
  static constexpr int kMostLoads = 8;
  static constexpr int kHeader = 6 + 2 * kMostLoads;
  static constexpr int64_t kMostWords = kHeader + 2 * 1024;

  static constexpr bool is_row(int at) { return at < kRowRegisters; }
};

// `Words` answers words[i].
template <typename Words>
struct ModifierProgramIn : ModifierRegisters {
  Words words;

  FOVEA_EVERYWHERE explicit ModifierProgramIn(Words words) : words(words) {}

  // Instructions: those for rows, then those of the value, then those of its gradients.
  FOVEA_EVERYWHERE int count() const { return words[0]; }
  FOVEA_EVERYWHERE int rows() const { return words[1]; }
  FOVEA_EVERYWHERE int value_end() const { return words[2]; }
  FOVEA_EVERYWHERE int loads() const { return words[3]; }
  // Registers of what comes out.
  FOVEA_EVERYWHERE int value() const { return words[4]; }
  FOVEA_EVERYWHERE int slope() const { return words[5]; }
  FOVEA_EVERYWHERE int partial(int load) const { return words[6 + 2 * load]; }
  FOVEA_EVERYWHERE int column(int load) const { return words[7 + 2 * load]; }

  FOVEA_EVERYWHERE ModifierInstruction at(int i) const {
    const uint32_t word = uint32_t(words[kHeader + 2 * i]);
    return {ModifierOp(word & 0xff), uint8_t(word >> 8), uint8_t(word >> 16), uint8_t(word >> 24),
            words[kHeader + 2 * i + 1]};
  }

  // Null if it may run, else what is wrong: whatever the words are, nothing else than registers that were
  // written is read.
  const char* check(int64_t length, bool has_table) const {
    if (length < kHeader) return "has no header";
    if (count() < 0 || count() > (length - kHeader) / 2) return "has fewer words than it says";
    if (rows() < 0 || value_end() < rows() || count() < value_end()) return "has no such parts";
    if (loads() < 0 || loads() > kMostLoads) return "has too many loads";
    bool written[kRegisters] = {};
    for (int i = 0; i < kRowInputs; ++i) written[i] = true;
    for (int i = kRowRegisters; i < kKeyInputs; ++i) written[i] = true;
    const auto readable = [&](int64_t from, bool row) {
      return from >= 0 && from < kRegisters && (!row || is_row(int(from))) &&
             written[from];
    };
    for (int i = 0; i < count(); ++i) {
      const ModifierInstruction it = at(i);
      const bool row = i < rows();
      if (it.op >= ModifierOp::kCount) return "has an unknown instruction";
      if (row ? it.to < kRowInputs || !is_row(it.to)
              : it.to < kKeyInputs || it.to >= kRegisters) {
        return "writes a register that it must not";
      }
      if (it.op == ModifierOp::kTable && !has_table) return "needs modifier_table";
      const int64_t from[3] = {it.a, it.b, it.word};
      for (int n = 0; n < it.operands(); ++n) {
        if (!readable(from[n], row)) return "reads a register that is not written";
      }
      if (it.op > ModifierOp::kConstant && it.op < ModifierOp::kTable) {
        return "writes what is an input";
      }
      written[it.to] = true;
      if (i + 1 == value_end() && !readable(value(), false)) return "has no value";
    }
    for (int at = 4; at < 6 + 2 * loads(); ++at) {
      if (!readable(words[at], false)) return "has no such output";
    }
    return nullptr;
  }
};

using ModifierProgram = ModifierProgramIn<const int32_t*>;

}  // namespace fovea::attention
