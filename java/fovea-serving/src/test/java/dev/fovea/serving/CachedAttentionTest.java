package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.Scope;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What may not change a bit of what a decoder gives: how its cache is laid out, when and beside
 * what its tokens come, and what becomes of sequences meanwhile. Unused pages are poison, unused
 * entries of tables garbage.
 */
class CachedAttentionTest {
  private static final int LONGEST = 40;
  private static final int SEEDS = 12;

  @TempDir Path folder;

  private static void assertAllSame(float[][] expected, float[][] actual, String what) {
    for (int slot = 0; slot < expected.length; slot++) {
      assertArrayEquals(expected[slot], actual[slot], what + ", slot " + slot);
    }
  }

  private static float[][] paged(
      DecoderShape shape, int pageSize, boolean packed, List<long[][]> steps) {
    int slots = steps.getFirst().length;
    int pages = slots * Math.ceilDiv(LONGEST, pageSize) + 3;
    try (KvCache cache = shape.cache(pageSize, pages).make()) {
      return Decoder.run(shape, Place.Paged.of(cache, slots), packed, steps);
    }
  }

  private static int pageSize(Random random) {
    return 1 << random.nextInt(6);
  }

  /** What a test does with a shape and random numbers; the text names both. */
  @FunctionalInterface
  private interface Case {
    void check(DecoderShape shape, Random random, String what) throws IOException;
  }

  private static void cases(CacheKind kind, Case body) throws IOException {
    for (int seed = 0; seed < SEEDS; seed++) {
      Random random = new Random(1000L * kind.ordinal() + seed);
      random.nextInt();
      DecoderShape shape = DecoderShape.random(random, kind);
      body.check(shape, random, "seed " + seed + " of " + shape);
    }
  }

  /** With a scale for each page those of all sizes agree, since rows are even. */
  @ParameterizedTest
  @EnumSource
  void pagesOfAnySizeAreOneTensor(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          long[][] tokens = Schedule.tokens(random, 3, LONGEST);
          List<long[][]> steps = Schedule.chunks(random, tokens);
          boolean packed = random.nextBoolean();
          try (Scope scope = Scope.open()) {
            Place plain = new Place.Plain(scope, shape, 3, LONGEST + random.nextInt(9));
            float[][] expected = Decoder.run(shape, plain, false, steps);
            // In pages of one token its scale is that of a page.
            int least = kind.scales() == KvCache.Scales.TOKEN ? 2 : 1;
            for (int size : new int[] {1, 2, 16, 64}) {
              if (size >= least) {
                assertAllSame(
                    expected, paged(shape, size, packed, steps), what + ", pages of " + size);
              }
            }
          }
        });
  }

  /** One page holds all: rows need not be even. */
  @ParameterizedTest
  @EnumSource(names = ".*_PAGE", mode = EnumSource.Mode.MATCH_ALL)
  void aPageIsASequenceOfOneTensor(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.even = false;
          List<long[][]> steps = Schedule.chunks(random, Schedule.tokens(random, 2, LONGEST));
          try (Scope scope = Scope.open()) {
            Place plain = new Place.Plain(scope, shape, 2, LONGEST);
            float[][] expected = Decoder.run(shape, plain, false, steps);
            assertAllSame(expected, paged(shape, 64, false, steps), what);
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  void tokensComeAtOnceOrInAnyChunks(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          long[][] tokens = Schedule.tokens(random, 2, LONGEST);
          int size = pageSize(random);
          boolean packed = random.nextBoolean();
          float[][] expected = paged(shape, size, packed, Schedule.atOnce(tokens));
          List<long[][]> chunks = Schedule.chunks(random, tokens);
          assertAllSame(expected, paged(shape, size, packed, chunks), what + ", chunks");
          List<long[][]> single = Schedule.oneByOne(tokens);
          assertAllSame(expected, paged(shape, size, packed, single), what + ", one by one");
        });
  }

  /** Some sequences begin while others go on. */
  @ParameterizedTest
  @EnumSource
  void aBatchIsItsSequencesOneByOne(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.even = false;
          int slots = 2 + random.nextInt(4);
          int size = pageSize(random);
          List<long[][]> steps = Schedule.chunks(random, Schedule.tokens(random, slots, LONGEST));
          float[][] packed = paged(shape, size, true, steps);
          assertAllSame(packed, paged(shape, size, false, steps), what + ", padded");
          for (int slot = 0; slot < slots; slot++) {
            float[][] alone = paged(shape, size, true, Schedule.of(slot, steps));
            assertArrayEquals(packed[slot], alone[0], what + ", slot " + slot);
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  void groupedHeadsAreRepeatedOnes(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.even = false;
          shape.group = 2 + random.nextInt(3);
          DecoderShape repeated = shape.copy();
          repeated.repeated = true;
          List<long[][]> steps = Schedule.chunks(random, Schedule.tokens(random, 2, LONGEST));
          int size = pageSize(random);
          assertAllSame(paged(repeated, size, true, steps), paged(shape, size, true, steps), what);
        });
  }

  /** A prefix, of which several go on, each its own way; with it or as copies of it. */
  @ParameterizedTest
  @EnumSource
  void forksAreCopies(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.even = false;
          int slots = 2 + random.nextInt(3);
          int size = pageSize(random);
          long[] prefix = random.longs(random.nextInt(20), 0, 1L << 40).toArray();
          List<long[][]> before = Schedule.chunks(random, new long[][] {prefix});
          List<long[][]> after = Schedule.chunks(random, Schedule.tokens(random, slots, 20));
          List<long[][]> all = new ArrayList<>();
          for (long[][] step : before) {
            long[][] every = new long[slots][];
            Arrays.fill(every, step[0]);
            all.add(every);
          }
          all.addAll(after);
          float[][] copied = paged(shape, size, true, all);
          int pages = Math.ceilDiv(20, size) + slots * (Math.ceilDiv(20, size) + 1);
          try (KvCache cache = shape.cache(size, pages).make()) {
            Place.Paged one = Place.Paged.of(cache, 1);
            Decoder.run(shape, one, true, before);
            KvSequence first = one.batch().remove(0);
            KvBatch batch = cache.batch(slots);
            for (int slot = 1; slot < slots; slot++) {
              batch.put(slot, first.fork());
            }
            batch.put(0, first);
            float[][] forked = Decoder.run(shape, new Place.Paged(cache, batch), true, after);
            for (int slot = 0; slot < slots; slot++) {
              int from = copied[slot].length - forked[slot].length;
              float[] expected = Arrays.copyOfRange(copied[slot], from, copied[slot].length);
              assertArrayEquals(expected, forked[slot], what + ", slot " + slot);
            }
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  void restoredSequencesGoOn(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.even = false;
          int size = pageSize(random);
          List<long[][]> steps = new ArrayList<>();
          for (int step = 0; step < 6; step++) {
            steps.add(Schedule.tokens(random, 2, LONGEST / 6));
          }
          float[][] expected = paged(shape, size, true, steps);
          Path file = folder.resolve("kept");
          float[][] before;
          int pages = 2 * Math.ceilDiv(LONGEST, size);
          try (KvCache cache = shape.cache(size, pages + 1).longest(LONGEST).make()) {
            Place.Paged place = Place.Paged.of(cache, 2);
            before = Decoder.run(shape, place, true, steps.subList(0, 3));
            cache.save(file, List.of(place.batch().get(1), place.batch().get(0)));
          }
          try (KvCache cache = shape.cache(size, pages + 4).longest(LONGEST).make()) {
            Place.Paged place = new Place.Paged(cache, cache.batch(2));
            CacheKind.poison(cache);
            KvSequence other = cache.open(); // whose page is not that of the file
            place.batch().put(0, other);
            place.batch().extend(1, 0);
            place.batch().commit();
            place.batch().remove(0);
            List<KvSequence> restored = cache.restore(file);
            place.batch().put(0, restored.get(1));
            place.batch().put(1, restored.get(0));
            float[][] after = Decoder.run(shape, place, true, steps.subList(3, 6));
            for (int slot = 0; slot < 2; slot++) {
              float[] both = Arrays.copyOf(before[slot], before[slot].length + after[slot].length);
              System.arraycopy(after[slot], 0, both, before[slot].length, after[slot].length);
              assertArrayEquals(expected[slot], both, what + ", slot " + slot);
            }
          }
        });
  }

  /** A page's scale keeps what was taken back: there it is taken back to the begin of a page. */
  @ParameterizedTest
  @EnumSource
  void whatIsTakenBackNeverWas(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.even = false;
          int size = pageSize(random);
          int kept = random.nextInt(LONGEST / 2);
          kept -= kind.scales() == KvCache.Scales.PAGE ? kept % size : 0;
          long[][] first = {random.longs(kept, 0, 1L << 40).toArray()};
          long[][] draft = {random.longs(random.nextInt(9), 0, 1L << 40).toArray()};
          long[][] last = {random.longs(1 + random.nextInt(9), 0, 1L << 40).toArray()};
          float[] expected = paged(shape, size, true, List.<long[][]>of(first, last))[0];
          try (KvCache cache = shape.cache(size, LONGEST).make();
              Decoder decoder = new Decoder(shape, Place.Paged.of(cache, 1), true)) {
            float[] before = decoder.step(first)[0];
            int free = cache.freePages();
            decoder.step(draft);
            KvSequence sequence = decoder.paged().batch().get(0);
            if (random.nextBoolean()) {
              try (KvSequence fork = sequence.fork()) {
                fork.truncate(kept / 2);
                sequence.truncate(kept);
              }
            }
            sequence.truncate(kept);
            assertEquals(free, cache.freePages(), what);
            float[] after = decoder.step(last)[0];
            float[] both = Arrays.copyOf(before, expected.length);
            System.arraycopy(after, 0, both, before.length, after.length);
            assertArrayEquals(expected, both, what);
          }
        });
  }

  /** Values that are the first elements of their keys, kept beside these or not. */
  @ParameterizedTest
  @EnumSource
  void latentValuesAreSeparateOnes(CacheKind kind) throws IOException {
    cases(
        kind,
        (shape, random, what) -> {
          shape.rotated = 0;
          shape.even = true; // so that a key and its first elements have one scale
          shape.alike = true;
          shape.valueHeadDim = 2 * (1 + random.nextInt(shape.headDim / 2));
          DecoderShape latent = shape.copy();
          latent.latent = true;
          List<long[][]> steps = Schedule.chunks(random, Schedule.tokens(random, 2, LONGEST));
          int size = pageSize(random);
          assertAllSame(paged(shape, size, true, steps), paged(latent, size, true, steps), what);
        });
  }
}
