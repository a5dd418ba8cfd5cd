package dev.fovea.serving;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import dev.fovea.serving.Generation.State;
import dev.fovea.serving.KeptSequences.Prefix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The sequences of a {@link Generator} that go on together, step by step: sequences join and leave
 * between steps (Yu et al., Orca, OSDI 2022), and long prompts are computed in parts, so that they
 * do not hold up others (Agrawal et al., Sarathi-Serve, arXiv 2403.02310). For one thread.
 *
 * <p>A sequence joins when there are free pages for all tokens it may come to, beside those that
 * running ones may still need: so no step runs out of pages, and nothing is computed twice.
 */
final class ContinuousBatch implements AutoCloseable {

  /** What was done so far. */
  record Counts(long steps, long promptTokens, long sharedTokens, long generatedTokens) {
    static final Counts NONE = new Counts(0, 0, 0, 0);
  }

  private final KvCache cache;
  private final DecoderModel model;
  private final int chunk;
  private final KvBatch batch;
  private final Tape tape;
  private final KeptSequences kept;
  private final RunningSequence[] slots;
  private final List<Integer> order = new ArrayList<>(); // of slots, as their sequences came
  private final int[] added; // new tokens of each slot
  private Counts counts = Counts.NONE;

  /**
   * A batch without sequences.
   *
   * @param chunk tokens of prompts in a step, at most
   * @param kept sequences to keep at most
   * @param tape closed with this
   */
  ContinuousBatch(KvCache cache, DecoderModel model, int slots, int chunk, int kept, Tape tape) {
    this.cache = cache;
    this.model = model;
    this.chunk = chunk;
    this.tape = tape;
    this.kept = new KeptSequences(kept);
    this.slots = new RunningSequence[slots];
    added = new int[slots];
    batch = cache.batch(slots);
  }

  int running() {
    return order.size();
  }

  int kept() {
    return kept.count();
  }

  Counts counts() {
    return counts;
  }

  // ---- between steps

  /** Takes a request in, if there is a slot, and pages for all that it may come to. */
  boolean join(Generation generation) {
    int slot = 0;
    while (slot < slots.length && slots[slot] != null) {
      slot++;
    }
    if (slot == slots.length) {
      return false;
    }
    KvSequence sequence = begin(generation.request().prompt());
    RunningSequence joining = new RunningSequence(generation, sequence);
    if (!hasPagesFor(joining)) {
      sequence.close();
      return false;
    }
    batch.put(slot, sequence);
    slots[slot] = joining;
    order.add(slot);
    generation.begin();
    counts =
        new Counts(
            counts.steps,
            counts.promptTokens,
            counts.sharedTokens + sequence.length(),
            counts.generatedTokens);
    return true;
  }

  /**
   * A sequence that shares the whole pages of a prompt that another one has. The last token of the
   * prompt is none of these: its scores are wanted.
   */
  private KvSequence begin(int[] prompt) {
    Prefix best = new Prefix(null, 0);
    for (int slot : order) {
      RunningSequence it = slots[slot];
      best = best.orBetter(it.sequence(), RunningSequence.common(it.known(), prompt));
    }
    best = kept.find(prompt, best);
    int tokens = Math.min(best.tokens(), prompt.length - 1);
    int whole = tokens / cache.pageSize() * cache.pageSize();
    if (whole == 0) {
      return cache.open();
    }
    KvSequence fork = best.sequence().fork();
    fork.truncate(whole);
    return fork;
  }

  private boolean hasPagesFor(RunningSequence joining) {
    long needed = joining.outstanding();
    for (int slot : order) {
      needed += slots[slot].outstanding();
    }
    while (cache.freePages() < needed && kept.count() > 0) {
      kept.evict();
    }
    return cache.freePages() >= needed;
  }

  /** Sequences whose requests are done leave. */
  private void leave() {
    for (int i = order.size() - 1; i >= 0; i--) {
      State state = slots[order.get(i)].generation().state();
      if (state.isDone()) {
        RunningSequence it = remove(i);
        if (state == State.FAILED) {
          it.sequence().close();
        } else {
          kept.add(it.sequence(), it.known());
        }
      }
    }
  }

  private RunningSequence remove(int i) {
    int slot = order.remove(i);
    RunningSequence it = slots[slot];
    slots[slot] = null;
    batch.remove(slot);
    return it;
  }

  /** All leave: what the cache has of them may be wrong, or is not wanted any more. */
  private void end(State how, Throwable why) {
    for (int slot : order) {
      slots[slot].generation().end(how, why);
      slots[slot].sequence().close(); // leaves its batch, with what was being added
      slots[slot] = null;
    }
    order.clear();
    if (batch.adds()) {
      batch.cancel();
    }
  }

  // ---- a step

  /**
   * Computes the next token of each sequence whose prompt has been computed, and some tokens of
   * prompts. If the model throws, all sequences have failed and are gone.
   *
   * @throws Error of the model
   */
  void step() {
    leave(); // those that were cancelled
    if (order.isEmpty()) {
      return;
    }
    int total = share();
    try {
      batch.extend(added);
      choose(compute(total).value());
    } catch (RuntimeException e) {
      end(State.FAILED, e);
    } catch (Error e) {
      end(State.FAILED, e);
      throw e;
    }
    leave();
  }

  /** One token of each sequence that has its prompt; of prompts what is left, in their order. */
  private int share() {
    Arrays.fill(added, 0);
    int total = 0;
    int rest = chunk;
    for (int slot : order) {
      int missing = slots[slot].missing();
      added[slot] = missing == 1 ? 1 : Math.min(missing, rest);
      rest -= missing == 1 ? 0 : added[slot];
      total += added[slot];
    }
    return total;
  }

  /** Scores for those that have all their tokens in the cache then, by slots. */
  private Variable compute(int total) {
    int[] tokens = new int[total];
    int[] positions = new int[total];
    int[] wanted = new int[slots.length];
    int count = 0;
    int row = 0;
    for (int slot = 0; slot < slots.length; slot++) {
      if (added[slot] == 0) {
        continue;
      }
      RunningSequence it = slots[slot];
      int from = it.sequence().length();
      for (int i = 0; i < added[slot]; i++) {
        positions[row] = from + i;
        tokens[row++] = it.token(from + i);
      }
      if (added[slot] == it.missing()) {
        wanted[count++] = row - 1;
      }
    }
    // One is computed where none is wanted, so that there is something to compute.
    int[] some = Arrays.copyOf(wanted, Math.max(1, count));
    tape.begin();
    return model.scores(input(tokens), input(positions), batch.rows(), input(some));
  }

  private Variable input(int[] values) {
    Variable variable = tape.input(DType.INT32, values.length);
    variable.value().copyFrom(values);
    return variable;
  }

  private void choose(Tensor scores) {
    long prompts = 0;
    long chosen = 0;
    for (int slot = 0; slot < slots.length; slot++) {
      RunningSequence it = slots[slot];
      if (added[slot] == 0) {
        continue;
      }
      prompts +=
          Math.clamp(it.generation().request().length() - it.sequence().length(), 0, added[slot]);
      if (added[slot] == it.missing()) {
        it.choose(scores.select(0, chosen++).toFloatArray());
      }
    }
    batch.commit();
    counts =
        new Counts(
            counts.steps + 1,
            counts.promptTokens + prompts,
            counts.sharedTokens,
            counts.generatedTokens + chosen);
  }

  @Override
  public void close() {
    try {
      end(State.CANCELLED, null);
      kept.close();
      batch.close();
    } finally {
      tape.close();
    }
  }
}
