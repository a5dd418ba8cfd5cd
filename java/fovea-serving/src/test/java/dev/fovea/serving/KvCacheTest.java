package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class KvCacheTest {

  private static KvCache cache(int pages) {
    return KvCache.on(Device.cpu())
        .layers(2)
        .keyHeads(1)
        .headDim(2)
        .pageSize(4)
        .pages(pages)
        .make();
  }

  private static List<Float> list(float... values) {
    List<Float> all = new ArrayList<>();
    for (float value : values) {
      all.add(value);
    }
    return all;
  }

  @Test
  void tokensBelongToTheSequenceWhenCommitted() {
    try (KvCache cache = cache(4);
        KvBatch batch = cache.batch(2)) {
      KvSequence sequence = cache.open();
      batch.put(1, sequence);
      batch.extend(0, 5);
      assertEquals(0, sequence.length());
      assertArrayEquals(new int[] {0, 0}, batch.starts().toIntArray());
      assertArrayEquals(new int[] {0, 5}, batch.counts().toIntArray());
      assertArrayEquals(new int[] {0, 5}, batch.lengths().toIntArray());
      assertEquals(2, cache.freePages());
      batch.cancel();
      assertEquals(4, cache.freePages());
      assertArrayEquals(new int[] {0, 0}, batch.lengths().toIntArray());
      Tokens.add(batch, 1, 1, 2, 3, 4, 5);
      assertEquals(5, sequence.length());
      batch.extend(0, 3);
      assertEquals(2, cache.freePages());
      assertArrayEquals(new int[] {0, 5}, batch.starts().toIntArray());
      assertArrayEquals(new int[] {0, 8}, batch.lengths().toIntArray());
      batch.cancel();
      assertEquals(list(1, 2, 3, 4, 5), Tokens.of(sequence));
      sequence.close();
      assertEquals(4, cache.freePages());
      assertArrayEquals(new int[] {0, 0}, batch.lengths().toIntArray());
    }
  }

  @Test
  void forksSharePagesUntilOneGrows() {
    try (KvCache cache = cache(8);
        KvBatch batch = cache.batch(2)) {
      KvSequence first = cache.open();
      batch.put(0, first);
      Tokens.add(batch, 0, 1, 2, 3, 4, 5, 6);
      KvSequence fork = first.fork();
      assertEquals(6, cache.freePages());
      batch.put(1, fork);
      Tokens.add(batch, 1, 70);
      assertEquals(5, cache.freePages()); // a copy of the second page
      Tokens.add(batch, 0, 7, 8, 9);
      assertEquals(4, cache.freePages()); // no copy: the page has one owner again
      assertEquals(list(1, 2, 3, 4, 5, 6, 7, 8, 9), Tokens.of(first));
      assertEquals(list(1, 2, 3, 4, 5, 6, 70), Tokens.of(fork));
      first.close();
      assertEquals(list(1, 2, 3, 4, 5, 6, 70), Tokens.of(fork));
      fork.truncate(4);
      assertEquals(7, cache.freePages());
      Tokens.add(batch, 1, 71);
      assertEquals(list(1, 2, 3, 4, 71), Tokens.of(fork));
      KvSequence whole = fork.fork();
      whole.truncate(4); // its last page is full: what is added goes to a new one
      batch.put(0, whole);
      Tokens.add(batch, 0, 72);
      assertEquals(list(1, 2, 3, 4, 71), Tokens.of(fork));
      assertEquals(list(1, 2, 3, 4, 72), Tokens.of(whole));
    }
  }

  @Test
  void outOfPagesLeavesEverySequenceAsItIs() {
    try (KvCache cache = cache(3);
        KvBatch batch = cache.batch(2)) {
      KvSequence first = cache.open();
      batch.put(0, first);
      Tokens.add(batch, 0, 1, 2, 3);
      KvSequence second = first.fork();
      batch.put(1, second);
      OutOfPagesException few =
          assertThrows(
              OutOfPagesException.class, () -> batch.extend(5, 2)); // two copies are no need
      assertEquals(2, few.free());
      assertTrue(few.needed() > 2, few.getMessage());
      assertEquals(2, cache.freePages());
      assertEquals(3, first.length());
      assertArrayEquals(new int[] {3, 3}, batch.lengths().toIntArray());
      Tokens.add(batch, 1, 8);
      assertEquals(list(1, 2, 3), Tokens.of(first));
      assertEquals(list(1, 2, 3, 8), Tokens.of(second));
    }
  }

  @Test
  void forgottenTokensGiveTheirPagesBack() {
    try (KvCache cache = cache(4);
        KvBatch batch = cache.batch(1)) {
      KvSequence sequence = cache.open();
      batch.put(0, sequence);
      Tokens.add(batch, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
      sequence.forget(7);
      assertEquals(2, cache.freePages());
      assertEquals(-1, batch.table().getInt(0, 0));
      assertEquals(9, sequence.length());
      Tokens.add(batch, 0, 10);
      assertEquals(list(5, 6, 7, 8, 9, 10), Tokens.of(sequence));
      assertThrows(IllegalArgumentException.class, () -> sequence.truncate(6));
      sequence.truncate(7);
      KvSequence fork = sequence.fork();
      sequence.close();
      assertEquals(list(5, 6, 7), Tokens.of(fork));
      fork.close();
      assertEquals(4, cache.freePages());
    }
  }

  @Test
  void whatCannotBe() {
    KvCache cache = cache(4);
    KvBatch batch = cache.batch(1);
    KvSequence sequence = cache.open();
    batch.put(0, sequence);
    assertThrows(IllegalStateException.class, () -> batch.put(0, cache.open()));
    assertThrows(IllegalStateException.class, () -> cache.batch(1).put(0, sequence));
    assertThrows(IllegalStateException.class, batch::commit);
    assertThrows(IllegalStateException.class, batch::cancel);
    assertThrows(IllegalArgumentException.class, () -> batch.extend(1, 2));
    assertThrows(IllegalArgumentException.class, () -> batch.extend(-1));
    assertThrows(IllegalArgumentException.class, () -> batch.extend(17));
    batch.extend(2);
    assertThrows(IllegalStateException.class, () -> batch.extend(2));
    assertThrows(IllegalStateException.class, () -> batch.remove(0));
    assertThrows(IllegalStateException.class, () -> sequence.truncate(0));
    batch.commit();
    assertThrows(IllegalArgumentException.class, () -> sequence.truncate(3));
    try (KvCache other = cache(1);
        KvBatch foreign = other.batch(1)) {
      assertThrows(IllegalArgumentException.class, () -> foreign.put(0, sequence));
    }
    cache.close();
    cache.close();
    batch.close();
    assertThrows(IllegalStateException.class, cache::open);
    assertThrows(IllegalStateException.class, sequence::fork);
    assertThrows(IllegalStateException.class, () -> batch.extend(1));
    assertThrows(IllegalArgumentException.class, () -> KvCache.on(Device.cpu()).pageSize(3));
    assertThrows(IllegalArgumentException.class, () -> KvCache.on(Device.cpu()).layers(0));
    assertThrows(IllegalStateException.class, () -> KvCache.on(Device.cpu()).headDim(3).make());
    KvCache.Builder odd = KvCache.on(Device.cpu()).headDim(3).pages(1).type(DType.INT4X2);
    assertThrows(IllegalArgumentException.class, odd::make);
  }

  /** What a sequence should have. */
  private record Kept(KvSequence sequence, List<Float> ids) {}

  private static void randomSteps(KvCache cache, KvBatch batch, long seed, int steps) {
    Random random = new Random(seed);
    List<Kept> all = new ArrayList<>();
    float next = 1000 * seed;
    for (int step = 0; step < steps; step++) {
      int kind = random.nextInt(10);
      Kept some = all.isEmpty() ? null : all.get(random.nextInt(all.size()));
      if (some == null || kind == 0 && all.size() < 6) {
        all.add(new Kept(cache.open(), new ArrayList<>()));
      } else if (kind == 1 && all.size() < 6) {
        all.add(new Kept(some.sequence.fork(), new ArrayList<>(some.ids)));
      } else if (kind == 2) {
        some.sequence.close();
        all.remove(some);
      } else if (kind == 3) {
        int kept = random.nextInt(some.ids.size() + 1);
        some.sequence.truncate(kept);
        some.ids.subList(kept, some.ids.size()).clear();
      } else {
        float[] ids = new float[random.nextInt(6)];
        for (int i = 0; i < ids.length; i++) {
          ids[i] = next++;
        }
        batch.put(0, some.sequence);
        try {
          Tokens.add(batch, 0, ids);
          some.ids.addAll(list(ids));
        } catch (OutOfPagesException full) {
          some.sequence.close();
          all.remove(some);
        }
        if (batch.get(0) != null) {
          batch.remove(0);
        }
      }
      for (Kept it : all) {
        assertEquals(it.ids, Tokens.of(it.sequence), "step " + step + " of seed " + seed);
      }
    }
    all.forEach(it -> it.sequence.close());
  }

  @Test
  void randomSequencesKeepTheirTokens() {
    try (KvCache cache = cache(12);
        KvBatch batch = cache.batch(1)) {
      for (int seed = 1; seed <= 5; seed++) {
        randomSteps(cache, batch, seed, 400);
        assertEquals(12, cache.freePages());
        assertEquals(0, cache.sequences());
      }
    }
  }

  @Test
  void threadsShareACache() throws Exception {
    try (KvCache cache = cache(40);
        ExecutorService threads = Executors.newFixedThreadPool(4)) {
      List<Future<?>> done = new ArrayList<>();
      for (int n = 1; n <= 4; n++) {
        long seed = n;
        done.add(
            threads.submit(
                () -> {
                  try (KvBatch batch = cache.batch(1)) {
                    randomSteps(cache, batch, seed, 600);
                  }
                }));
      }
      for (Future<?> it : done) {
        it.get();
      }
      assertEquals(40, cache.freePages());
    }
  }

  /** A cache beside the same keys without one, in each type that holds them exactly. */
  @Test
  void attentionReadsWhatIsThere() {
    for (DType type : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
      try (Scope scope = Scope.open();
          KvCache cache = KvCache.on(Device.cpu()).headDim(8).pages(9).type(type).make();
          KvBatch batch = cache.batch(3)) {
        Random random = new Random(3);
        Tensor plain = scope.allocate(DType.FLOAT32, 3, 40, 1, 8);
        int[] lengths = {40, 0, 17};
        for (int slot = 0; slot < 3; slot++) {
          batch.put(slot, cache.open());
        }
        batch.extend(lengths);
        for (int slot = 0; slot < 3; slot++) {
          for (int j = 0; j < lengths[slot]; j++) {
            float id = random.nextInt(-8, 8) / 4f;
            Tokens.write(batch, slot, j, id);
            plain.select(0, slot).select(0, j).fill(id);
          }
        }
        batch.commit();
        Tensor query = scope.allocate(DType.FLOAT32, 3, 1, 2, 8).fill(0.5f);
        Tensor out = scope.allocate(DType.FLOAT32, 3, 1, 2, 8);
        Attention attention = Attention.builder().causal().build();
        attention
            .call(query, cache.key(0), cache.value(0))
            .pages(batch.table(), cache.longest())
            .keyLengths(batch.lengths())
            .out(out)
            .run();
        Tensor values = scope.allocate(DType.FLOAT32, 3, 40, 1, 8);
        float[] negative = plain.toFloatArray();
        for (int i = 0; i < negative.length; i++) {
          negative[i] = -negative[i];
        }
        values.copyFrom(negative);
        Tensor expected = scope.allocate(DType.FLOAT32, 3, 1, 2, 8);
        attention
            .call(query, plain, values)
            .keyLengths(scope.copyOf(lengths, 3))
            .out(expected)
            .run();
        assertArrayEquals(expected.toFloatArray(), out.toFloatArray());
        assertNotEquals(0, Arrays.hashCode(out.toFloatArray()));
      }
    }
  }
}
