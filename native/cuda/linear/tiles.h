// How the kernels of linear attention cut their work, and their shared memory, for planner and kernels alike.
// Why these numbers: cuda/README.md.
#pragma once

#include <algorithm>

#include "ops/linear/workspace.h"

namespace fovea::linear::cuda {

constexpr int kMostWarps = 4, kMostThreads = 32 * kMostWarps;  // of a block

// The part of a state that a warp has in registers: kCapacity rows, dealt to kLanes lanes, of kWarpColumns
// columns, kColumns to a thread. A chunk of tokens is so many that their rows take 16 KiB at most.
template <int kLanesOfColumn, int kRowsOfThread, int kColumnsOfThread>
struct Panel {
  static constexpr int kLanes = kLanesOfColumn, kRows = kRowsOfThread, kColumns = kColumnsOfThread;
  static constexpr int kCapacity = kLanes * kRows;
  static constexpr int kWarpColumns = 32 / kLanes * kColumns;
  static constexpr int kTokens = kCapacity <= 128 ? 32 : 4096 / kCapacity;
  static_assert(kLanes >= kColumns, "a lane has the sum of one column");
  static_assert(kRows % 4 == 0 && kColumns % 4 == 0, "operands are read as quads");
};

// Kinds of panels, by capacity, which doubles from one to the next.
template <int kIndex>
struct PanelOf;
template <>
struct PanelOf<0> : Panel<8, 4, 8> {};
template <>
struct PanelOf<1> : Panel<8, 8, 8> {};
template <>
struct PanelOf<2> : Panel<16, 8, 8> {};
template <>
struct PanelOf<3> : Panel<32, 8, 8> {};
template <>
struct PanelOf<4> : Panel<32, 16, 4> {};
constexpr int kPanels = 5;

// Calls body with the null pointer of a kind of panel.
template <int kIndex = 0, typename Body>
constexpr auto with_panel(int index, Body body) {
  if constexpr (kIndex + 1 < kPanels) {
    if (index != kIndex) return with_panel<kIndex + 1>(index, body);
  }
  return body(static_cast<PanelOf<kIndex>*>(nullptr));
}

// The two ways that a state lies: with the columns of values and the rows of keys, and the other way round.
enum class Columns { kValues, kKeys };

// How the states of a sweep are cut: into panels, a warp each, and those into blocks of `warps` warps.
struct Cut {
  Columns of;
  int64_t columns;
  int panel;  // which kind
  int capacity, tokens, warp_columns;
  int64_t panels;

  Cut(const Spec& spec, Columns columns_of)
      : of(columns_of), columns(of == Columns::kValues ? spec.value_head_dim : spec.head_dim) {
    const int64_t rows = of == Columns::kValues ? spec.head_dim : spec.value_head_dim;
    panel = 0;
    while (panel + 1 < kPanels && PanelOf<0>::kCapacity << panel < rows) ++panel;
    with_panel(panel, [this](auto* kind) {
      capacity = kind->kCapacity;
      tokens = kind->kTokens;
      warp_columns = kind->kWarpColumns;
    });
    panels = (columns + warp_columns - 1) / warp_columns;
  }

  int64_t blocks(int warps) const { return (panels + warps - 1) / warps; }
  // As many blocks of a state as fill the device, if there are so many: every one loads the rows anew.
  int64_t blocks_for(int64_t states, int32_t multiprocessors) const {
    int warps = kMostWarps;
    while (warps > 1 && states * blocks(warps) < multiprocessors) warps /= 2;
    return blocks(warps);
  }
  // The fewest warps that make so many blocks of a state.
  int warps_of(int64_t blocks_of_state) const {
    int warps = 1;
    while (warps < kMostWarps && blocks(warps) > blocks_of_state) warps *= 2;
    return warps;
  }
};

enum class SweepKind {
  kForward,    // out
  kWeights,    // sums of weights
  kGradients,  // the gradient of a state, which the queries change and the keys read
  kQueries,    // dquery
  kKeys,       // dkey
};

// Shared memory for a chunk of tokens: rows of the state's rows, and rows of the columns that a block has;
// then a number for each token. Offsets in bytes.
struct ChunkLayout {
  int32_t pitch;  // of rows of columns, in floats
  int32_t key_rows, query_rows;        // of keys and of their queries: x or w
  int32_t step_rows;                   // of keys
  int32_t key_columns, query_columns;  // y
  int32_t decays;                      // of keys, along the rows or the columns, by which of these are keys'
  int32_t decay_numbers, betas;        // of keys
  int32_t shares;                      // of queries
  int32_t bytes = 0;

  ChunkLayout() = default;
  ChunkLayout(const Spec& spec, const Cut& cut, SweepKind sweep, int warps)
      : pitch(warps * cut.warp_columns) {
    const int32_t rows = cut.tokens * cut.capacity, columns = cut.tokens * pitch;
    const bool by_keys = cut.of == Columns::kKeys, delta = has_delta(spec);
    key_rows = reserve(rows);
    query_rows = reserve(rows);
    step_rows = reserve(by_keys && delta ? rows : 0);
    key_columns = reserve(by_keys || delta || sweep == SweepKind::kForward ? columns : 0);
    query_columns = reserve(by_keys || sweep == SweepKind::kGradients ? columns : 0);
    decays = reserve(spec.key_decay_dtype == 0 ? 0 : by_keys ? columns : rows);
    decay_numbers = reserve(cut.tokens);
    betas = reserve(cut.tokens);
    shares = reserve(cut.tokens);
  }

 private:
  int32_t reserve(int32_t floats) {
    const int32_t at = bytes;
    bytes += floats * 4;
    return at;
  }
};

// Phases of the backward pass.
enum BackwardPhase {
  kStartPhase,   // sums of weights where out is normalised; errors of the state with the delta rule
  kValuePhase,   // dvalue and dinitial_state
  kQueryPhase,   // dquery
  kKeyPhase,     // dkey, dkey_decay and dinitial_sum
  kDecayPhase,   // ddecay
  kBetaPhase,    // dbeta
  kBackwardPhases,
};
static_assert(kBackwardPhases <= FOVEA_MAX_PHASES);

inline Columns columns_of(int32_t phase) {
  return phase == kQueryPhase || phase == kKeyPhase ? Columns::kKeys : Columns::kValues;
}
inline SweepKind sweep_of(const Spec& spec, int32_t phase) {
  switch (phase) {
    case kStartPhase:
      return spec.normalised ? SweepKind::kWeights : SweepKind::kForward;
    case kValuePhase:
      return SweepKind::kGradients;
    case kQueryPhase:
      return SweepKind::kQueries;
    default:
      return SweepKind::kKeys;
  }
}

// A gradient of [B~, Sk~, Hk] is the sum of a part for each panel of the sweep that made it. Threads of a
// block take rows of a result; where they share one, rows of the sequences that it is of.
constexpr int kSumThreads = 128;

struct Summing {
  Sharing shared;
  int64_t results;  // of each head
  int64_t tiles;    // of each of them

  Summing(const Spec& spec, Sharing sharing)
      : shared(sharing),
        results(shared.sequences ? 1 : spec.batch),
        tiles(shared.rows ? 1 : (spec.key_length + kSumThreads - 1) / kSumThreads) {}
};

inline Summing decay_summing(const Spec& spec) {
  return {spec, sharing_of(spec, spec.ddecay_stride)};
}
inline Summing beta_summing(const Spec& spec) { return {spec, Sharing{false, false}}; }

inline Workspace workspace_of(const Spec& spec) {
  return {spec, Cut(spec, Columns::kKeys).panels, Cut(spec, Columns::kValues).panels};
}

}  // namespace fovea::linear::cuda
