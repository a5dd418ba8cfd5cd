package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.CacheAppend;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Merge;
import dev.fovea.RotaryTables;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Attention to a prefix, read once for all sequences that begin with it, merged with that to what
 * each has of its own, is attention to forks of the prefix.
 *
 * <p>How far they may be apart, in float32: with n keys, X the largest scale sum_d |q_d k_d| and V
 * the largest |v|, an attention errs by e V with e = 4e-7 (1 + X) + 2 sqrt(n) 2^-24, and its lse,
 * but for a rounding of that number itself, by e (the specification). Parts are weighted by
 * exp(lse_p - lse), which errs by twice the error of lse and three roundings, one of them of a
 * difference of numbers up to L. So the merge is within e + 2 e + 2^-24 (3 + 2 L) of the exact
 * result, and the attention over all within e.
 */
class SharedPrefixTest {
  private static final int HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int DIM = 16;
  private static final double UNIT = 0x1p-24;

  /** What a draw of sequences is: a prefix of keys, and for each slot keys of its own. */
  private static final class Problem implements AutoCloseable {
    final Scope scope = Scope.open();
    final int prefix;
    final int[] own;
    final int longestOwn;
    final float[] prefixKeys;
    final float[] prefixValues;
    final float[] keys;
    final float[] values;
    final Tensor query;
    final Tensor sinks;
    final RotaryTables rotary;
    final KvCache cache;

    Problem(Random random, int pageSize) {
      int slots = 1 + random.nextInt(4);
      prefix = 1 + random.nextInt(50);
      own = random.ints(slots, 0, 12).toArray();
      longestOwn = Math.max(1, Arrays.stream(own).max().getAsInt());
      prefixKeys = uniform(random, prefix * KEY_HEADS * DIM);
      prefixValues = uniform(random, prefix * KEY_HEADS * DIM);
      keys = uniform(random, slots * longestOwn * KEY_HEADS * DIM);
      values = uniform(random, slots * longestOwn * KEY_HEADS * DIM);
      query = scope.copyOf(uniform(random, slots * HEADS * DIM), slots, 1, HEADS, DIM);
      sinks = scope.copyOf(uniform(random, HEADS), HEADS);
      rotary = RotaryTables.of(scope, 64, 8, RotaryTables.BASE);
      cache =
          KvCache.on(Device.cpu())
              .keyHeads(KEY_HEADS)
              .headDim(DIM)
              .pageSize(pageSize)
              .pages((slots + 1) * 128 / pageSize + 2 * slots)
              .longest(64)
              .make();
      CacheKind.poison(cache);
    }

    private static float[] uniform(Random random, int count) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = 2 * random.nextFloat() - 1;
      }
      return values;
    }

    int slots() {
      return own.length;
    }

    /** That of the text: elements are at most 1, so X is |q| |k| / sqrt(D) at most, and V 1. */
    double allowed() {
      double largestScore = Math.sqrt(DIM);
      int keyCount = prefix + longestOwn;
      double each = 4e-7 * (1 + largestScore) + 2 * Math.sqrt(keyCount) * UNIT;
      double lse = largestScore + Math.log(keyCount + 1);
      return 4 * each + UNIT * (3 + 2 * lse);
    }

    /** Adds the prefix to the one slot of a batch. */
    void appendPrefix(KvBatch batch) {
      batch.extend(prefix);
      append(batch, prefixKeys, prefixValues, prefix, null);
      batch.commit();
    }

    /** Adds what slots have of their own, whose positions are behind the prefix. */
    void appendOwn(KvBatch batch) {
      int[] positions = new int[slots() * longestOwn];
      for (int i = 0; i < positions.length; i++) {
        positions[i] = prefix + i % longestOwn;
      }
      batch.extend(own);
      append(batch, keys, values, longestOwn, positions);
      batch.commit();
    }

    private void append(KvBatch batch, float[] keys, float[] values, int rows, int[] positions) {
      int slots = batch.size();
      CacheAppend.create()
          .call(scope.copyOf(keys, slots, rows, KEY_HEADS, DIM), batch.starts(), cache.key(0))
          .value(scope.copyOf(values, slots, rows, KEY_HEADS, DIM), cache.value(0))
          .lengths(batch.counts())
          .pages(batch.table(), cache.longest())
          .rotary(rotary)
          .positions(positions == null ? null : scope.copyOf(positions, slots, rows))
          .run();
    }

    /** Attention to forks of the prefix that go on, and its lse. */
    Tensor[] whole(boolean hasSinks) {
      Tensor out = scope.allocate(DType.FLOAT32, slots(), 1, HEADS, DIM).fill(Float.NaN);
      Tensor lse = scope.allocate(DType.FLOAT32, slots(), HEADS, 1).fill(Float.NaN);
      try (KvBatch one = cache.batch(1);
          KvBatch batch = cache.batch(slots());
          KvSequence first = cache.open()) {
        one.put(0, first);
        appendPrefix(one);
        for (int slot = 0; slot < slots(); slot++) {
          batch.put(slot, first.fork());
        }
        appendOwn(batch);
        Attention.builder()
            .causal()
            .build()
            .call(query, cache.key(0), cache.value(0))
            .pages(batch.table(), cache.longest())
            .keyLengths(batch.lengths())
            .sinks(hasSinks ? sinks : null)
            .out(out)
            .lse(lse)
            .run();
        for (int slot = 0; slot < slots(); slot++) {
          batch.get(slot).close();
        }
      }
      return new Tensor[] {out, lse};
    }

    /** The two parts: outs [2, B, 1, Hq, D] and lses [2, B, Hq, 1]. */
    Tensor[] parts(Tensor partSinks) {
      int all = slots();
      Tensor outs = scope.allocate(DType.FLOAT32, 2, all, 1, HEADS, DIM).fill(Float.NaN);
      Tensor lses = scope.allocate(DType.FLOAT32, 2, HEADS, all).fill(Float.NaN);
      try (KvBatch one = cache.batch(1);
          KvBatch batch = cache.batch(all);
          KvSequence first = cache.open()) {
        one.put(0, first);
        appendPrefix(one);
        // All queries are one sequence, which sees the whole prefix.
        Attention.create()
            .call(query.reshape(1, all, HEADS, DIM), cache.key(0), cache.value(0))
            .pages(one.table(), cache.longest())
            .keyLengths(one.lengths())
            .sinks(partSinks)
            .out(outs.select(0, 0).reshape(1, all, HEADS, DIM))
            .lse(lses.select(0, 0).reshape(1, HEADS, all))
            .run();
        for (int slot = 0; slot < all; slot++) {
          batch.put(slot, cache.open());
        }
        appendOwn(batch);
        Tensor ofSequences = lses.reshape(2, HEADS, all, 1).permute(0, 2, 1, 3);
        Attention.create()
            .call(query, cache.key(0), cache.value(0))
            .pages(batch.table(), cache.longest())
            .keyLengths(batch.lengths())
            .out(outs.select(0, 1))
            .lse(ofSequences.select(0, 1))
            .run();
        for (int slot = 0; slot < all; slot++) {
          batch.get(slot).close();
        }
        return new Tensor[] {outs, ofSequences};
      }
    }

    @Override
    public void close() {
      assertEquals(cache.pages(), cache.freePages());
      cache.close();
      scope.close();
    }
  }

  private static double apart(Tensor a, Tensor b) {
    float[] one = a.toFloatArray();
    float[] other = b.toFloatArray();
    double most = 0;
    for (int i = 0; i < one.length; i++) {
      double by = Math.abs((double) one[i] - other[i]);
      most = by <= most ? most : by; // NaN is the most
    }
    return most;
  }

  @Test
  void mergedPartsAreTheWhole() {
    for (int seed = 0; seed < 60; seed++) {
      Random random = new Random(seed);
      random.nextInt();
      try (Problem it = new Problem(random, 1 << random.nextInt(6))) {
        boolean hasSinks = random.nextBoolean();
        Tensor[] whole = it.whole(hasSinks);
        Tensor[] parts = it.parts(null);
        Tensor lse = it.scope.allocate(DType.FLOAT32, it.slots(), HEADS, 1);
        Tensor merged =
            Merge.create()
                .call(parts[0], parts[1])
                .sinks(hasSinks ? it.sinks : null)
                .lse(lse)
                .forward(it.scope);
        String what = "seed " + seed + ": ";
        double allowed = it.allowed();
        assertTrue(apart(whole[0], merged) <= allowed, what + apart(whole[0], merged));
        assertTrue(apart(whole[1], lse) <= allowed, what + apart(whole[1], lse));
        for (int slot = 0; slot < it.slots(); slot++) {
          if (it.own[slot] == 0 && !hasSinks) {
            // A part that sees nothing adds nothing, not even a rounding.
            assertArrayEquals(
                parts[0].select(0, 0).select(0, slot).toFloatArray(),
                merged.select(0, slot).toFloatArray(),
                what + slot);
          }
        }
      }
    }
  }

  /** A sink belongs to the whole: one that a part had as well is far beyond rounding. */
  @Test
  void aSinkCountsOnce() {
    for (int seed = 0; seed < 10; seed++) {
      Random random = new Random(seed);
      random.nextInt();
      try (Problem it = new Problem(random, 16)) {
        Tensor[] whole = it.whole(true);
        Tensor[] parts = it.parts(it.sinks);
        Tensor twice = Merge.create().call(parts[0], parts[1]).sinks(it.sinks).forward(it.scope);
        double apart = apart(whole[0], twice);
        assertTrue(apart > 100 * it.allowed(), "seed " + seed + ": " + apart);
        // In one part alone it is right as well: the sum has it once.
        Tensor once = Merge.create().call(parts[0], parts[1]).forward(it.scope);
        assertTrue(apart(whole[0], once) <= it.allowed(), "seed " + seed);
      }
    }
  }
}
