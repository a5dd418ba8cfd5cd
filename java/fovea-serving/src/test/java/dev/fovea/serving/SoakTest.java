package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/**
 * Threads that decode, fork, truncate, forget and close sequences of one cache, which has too few
 * pages for all of them. Every result is that of the sequence's own tokens, in float64. What a
 * thread does follows from the seed, but for what it does about pages that others have.
 */
class SoakTest {
  private static final long SEED = Long.getLong("fovea.test.soak.seed", 1);
  private static final int STEPS = Integer.getInteger("fovea.test.soak.steps", 10_000);

  private static final int THREADS = 4;
  private static final int PAGES = 60;
  private static final int SLOTS = 3;
  private static final int WINDOW = 11;
  private static final int LONGEST = 60;
  private static final int SEQUENCES = 6; // of a thread

  /**
   * Of float32: 1 + X, 13, times 4e-7 and the rounding of rotated keys, 3 2^-24 X, twice, since
   * what moves scores moves their sum; times values up to 4.
   */
  private static final double ROOM = 2 * 4 * (13 * 4e-7 + 12 * 3 * 0x1p-24);

  /** What a sequence should have. */
  private static final class Held {
    final KvSequence sequence;
    final List<Long> tokens;
    int begin;

    Held(KvSequence sequence, List<Long> tokens, int begin) {
      this.sequence = sequence;
      this.tokens = new ArrayList<>(tokens);
      this.begin = begin;
    }

    Held fork() {
      return new Held(sequence.fork(), tokens, begin);
    }

    /** The fewest tokens that may stay: a query behind them sees what is not forgotten. */
    int least() {
      return begin == 0 ? 0 : begin + WINDOW;
    }
  }

  private static DecoderShape shape() {
    DecoderShape shape = new DecoderShape();
    shape.keyHeads = 2;
    shape.group = 2;
    shape.rotated = 6;
    shape.window = WINDOW;
    return shape;
  }

  /** One thread's. */
  private static final class Worker {
    private final KvCache cache;
    private final Random random;
    private final Queue<Held> given;
    private final AtomicInteger refusals;
    private final KvBatch batch;
    private final Decoder decoder;
    private final Reference reference = new Reference(shape());
    private final List<Held> all = new ArrayList<>();

    Worker(KvCache cache, long seed, Queue<Held> given, AtomicInteger refusals) {
      this.cache = cache;
      this.random = new Random(seed);
      this.given = given;
      this.refusals = refusals;
      random.nextInt();
      batch = cache.batch(SLOTS);
      decoder = new Decoder(shape(), new Place.Paged(cache, batch), random.nextBoolean());
    }

    void run(int steps) {
      for (int step = 0; step < steps; step++) {
        try {
          step();
        } catch (RuntimeException | AssertionError failure) {
          throw new AssertionError("step " + step + ": " + failure, failure);
        }
      }
      all.forEach(it -> it.sequence.close());
      decoder.close();
      batch.close();
    }

    private void step() {
      int kind = random.nextInt(100);
      Held some = all.isEmpty() ? null : all.get(random.nextInt(all.size()));
      boolean room = all.size() < SEQUENCES;
      if (some == null || kind < 6 && room) {
        Held other = random.nextBoolean() ? given.poll() : null;
        all.add(other != null ? other : new Held(cache.open(), List.of(), 0));
      } else if (kind < 16 && room) {
        all.add(some.fork());
      } else if (kind < 20) {
        given.add(some.fork()); // for another thread
      } else if (kind < 25) {
        close(some);
      } else if (kind < 32) {
        truncate(some);
      } else if (kind < 40) {
        int most = Math.max(0, some.tokens.size() - WINDOW);
        int token = random.nextInt(most + 1);
        some.sequence.forget(token);
        some.begin = Math.max(some.begin, token);
      } else {
        decode();
      }
    }

    private void close(Held it) {
      it.sequence.close();
      all.remove(it);
    }

    private void truncate(Held it) {
      int length = it.tokens.size();
      int least = Math.min(length, it.least());
      int kept = least + random.nextInt(length - least + 1);
      it.sequence.truncate(kept);
      it.tokens.subList(kept, length).clear();
    }

    private void decode() {
      List<Held> chosen = new ArrayList<>();
      long[][] tokens = new long[SLOTS][];
      for (int slot = 0; slot < SLOTS; slot++) {
        Held some = all.get(random.nextInt(all.size()));
        boolean takes = !chosen.contains(some) && random.nextInt(4) > 0;
        chosen.add(takes ? some : null);
        int room = takes ? LONGEST - some.tokens.size() : 0;
        int count = Math.min(room, random.nextInt(3) > 0 ? 1 : random.nextInt(7));
        tokens[slot] = random.longs(count, 0, 1L << 40).toArray();
        if (takes) {
          batch.put(slot, some.sequence);
        }
      }
      try {
        float[][] outs = decoder.step(tokens);
        for (int slot = 0; slot < SLOTS; slot++) {
          for (long token : tokens[slot]) {
            chosen.get(slot).tokens.add(token);
          }
          if (chosen.get(slot) != null) {
            check(chosen.get(slot), tokens[slot].length, outs[slot]);
          }
        }
      } catch (OutOfPagesException full) {
        refusals.incrementAndGet();
        for (Held it : chosen) {
          assertTrue(it == null || it.sequence.length() == it.tokens.size());
        }
        close(all.get(random.nextInt(all.size())));
        Held unclaimed = given.poll();
        if (unclaimed != null) {
          unclaimed.sequence.close();
        }
      }
      for (int slot = 0; slot < SLOTS; slot++) {
        batch.remove(slot);
      }
    }

    private void check(Held it, int added, float[] outs) {
      assertEquals(it.tokens.size(), it.sequence.length());
      double[] expected = reference.of(it.tokens, it.tokens.size() - added);
      assertEquals(expected.length, outs.length);
      for (int i = 0; i < outs.length; i++) {
        if (!(Math.abs(outs[i] - expected[i]) <= ROOM)) {
          throw new AssertionError(
              "element %d is %s, expected %s, of %d tokens, %d new"
                  .formatted(i, outs[i], expected[i], it.tokens.size(), added));
        }
      }
    }
  }

  @Test
  void everyResultIsOfItsOwnTokens() throws Exception {
    AtomicInteger refusals = new AtomicInteger();
    Queue<Held> given = new ConcurrentLinkedQueue<>();
    try (KvCache cache = shape().cache(4, PAGES).longest(LONGEST).make();
        ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      CacheKind.poison(cache);
      List<Future<?>> done = new ArrayList<>();
      for (int n = 0; n < THREADS; n++) {
        Worker worker = new Worker(cache, SEED * THREADS + n, given, refusals);
        done.add(threads.submit(() -> worker.run(STEPS / THREADS)));
      }
      for (int n = 0; n < THREADS; n++) {
        try {
          done.get(n).get();
        } catch (ExecutionException failed) {
          throw new AssertionError(
              "thread %d; again by -Dfovea.test.soak.seed=%d -Dfovea.test.soak.steps=%d"
                  .formatted(n, SEED, STEPS),
              failed.getCause());
        }
      }
      given.forEach(it -> it.sequence.close());
      assertTrue(refusals.get() > STEPS / 200, refusals + " refusals");
      assertEquals(0, cache.sequences());
      assertEquals(PAGES, cache.freePages());
    }
  }
}
