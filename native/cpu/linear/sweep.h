// A chunk of tokens passing over a state, first to last or last to first.
#pragma once

#include "cpu/linear/tokens.h"

namespace fovea::linear::cpu::FOVEA_TIER {

// What the tokens of a chunk do to a state and read of it. Where a token has no row it is zero.
struct Chunk {
  int count;
  Decay decay;
  TokenRows decays;  // of each token what comes before its updates
  int64_t decay_step;
  TokenRows x, y;    // updates: of rows, of columns
  TokenRows w, out;  // reads: of rows; sums of columns
  Span updates, reads;  // tokens that have any
  bool ordered;  // what a token reads hangs on the ones before it: there are both, or something between
};

// All updates of the chunk, or all its reads, as one matrix product.
inline void multiply(const Chunk& c, const State& state, const Columns& part) {
  const int64_t row = int64_t{part.vectors} * kLanes;
  if (c.updates.begin < c.updates.end) {
    const int depth = int((c.updates.end - c.updates.begin) * c.x.heads);
    fovea::cpu::FOVEA_TIER::multiply({c.x.of(c.updates.begin), 1, c.x.row},
                                     {c.y.of(c.updates.begin) + part.begin, c.y.row},
                                     int(state.rows()), int(row), depth, true, {part.at, row});
  }
  if (c.reads.begin >= c.reads.end) return;
  fovea::cpu::FOVEA_TIER::multiply({c.w.of(c.reads.begin), c.w.row, 1}, {part.at, row},
                                   int((c.reads.end - c.reads.begin) * c.w.heads), int(row),
                                   int(state.rows()), false,
                                   {c.out.of(c.reads.begin) + part.begin, c.out.row});
}

// A token and a panel: its decay, and the first of its updates and reads.
inline Pass first_of(const Chunk& c, int t, const State& state, const Columns& part) {
  Pass p = {};
  p.rows = state.rows();
  p.state = part.at;
  p.decay = c.decays.of(t) + (c.decay == Decay::kColumns ? part.begin : 0);
  p.decay_step = c.decay_step;
  p.x = c.x.of(t);
  p.y = c.y.of(t) + part.begin;
  p.w = c.w.of(t);
  p.out = c.out.of(t) + part.begin;
  return p;
}

// Decay, updates and reads of a token.
inline void step(const Chunk& c, int t, const State& state, const Columns& part) {
  Pass p = first_of(c, t, state, part);
  Decay decay = c.decay;
  for (int64_t h = 0; h + 1 < c.x.heads; ++h) {
    pass<true, false>(part.vectors, decay, p);
    decay = Decay::kNone;
    p.x = c.x.of(t, h + 1);
    p.y = c.y.of(t, h + 1) + part.begin;
  }
  if (c.reads.begin >= c.reads.end) return pass<true, false>(part.vectors, decay, p);
  pass<true, true>(part.vectors, decay, p);
  for (int64_t h = 1; h < c.w.heads; ++h) {
    p.w = c.w.of(t, h);
    p.out = c.out.of(t, h) + part.begin;
    pass<false, true>(part.vectors, Decay::kNone, p);
  }
}

// Of two tokens, each with one update and one read.
inline void step_two(const Chunk& c, int t, int next, const State& state, const Columns& part) {
  const Pass two[] = {first_of(c, t, state, part), first_of(c, next, state, part)};
  if (c.reads.begin >= c.reads.end) return pass<2, true, false>(part.vectors, c.decay, two);
  pass<2, true, true>(part.vectors, c.decay, two);
}

// `before` and `after` see each token, and each panel of the state, before and after its step.
template <bool kRising, typename Before, typename After>
inline void sweep(const Chunk& c, const State& state, Before before, After after) {
  const bool both = c.updates.begin < c.updates.end && c.reads.begin < c.reads.end;
  state.for_each_panel([&](const Columns& part) {
    if (!c.ordered && !both && c.decay == Decay::kNone) return multiply(c, state, part);
    const auto token = [&](int i) { return kRising ? i : c.count - 1 - i; };
    const bool pairs = !c.ordered && c.x.heads == 1 && c.w.heads == 1;
    for (int i = 0; i < c.count; ++i) {
      const int t = token(i);
      if (pairs && i + 1 < c.count) {
        step_two(c, t, token(++i), state, part);
        continue;
      }
      before(t, part);
      step(c, t, state, part);
      after(t, part);
    }
  });
}

}  // namespace fovea::linear::cpu::FOVEA_TIER
