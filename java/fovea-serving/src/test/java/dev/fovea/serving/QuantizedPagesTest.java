package dev.fovea.serving;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Pages with one scale, whose tokens come in any chunks, are taken back, and go on in forks: the
 * scale is that of all that were appended since the first row of the page, and elements err by the
 * bound of {@link dev.fovea.CacheAppend} at most.
 */
class QuantizedPagesTest {
  private static final int LONGEST = 40;

  /** A sequence with its tokens, and the largest magnitudes by page and head that it appended. */
  private static final class Held {
    final KvSequence sequence;
    final List<Long> tokens = new ArrayList<>();
    final float[][] largest;

    Held(KvSequence sequence, int pages, int heads) {
      this.sequence = sequence;
      largest = new float[pages][heads];
    }

    Held fork() {
      Held fork = new Held(sequence.fork(), largest.length, largest[0].length);
      fork.tokens.addAll(tokens);
      for (int page = 0; page < largest.length; page++) {
        fork.largest[page] = largest[page].clone();
      }
      return fork;
    }
  }

  private static DecoderShape shape(Random random, CacheKind kind) {
    DecoderShape shape = new DecoderShape();
    shape.kind = kind;
    shape.keyHeads = 1 + random.nextInt(3);
    shape.headDim = 2 * (1 + random.nextInt(20));
    return shape;
  }

  private static float[] row(DecoderShape shape, long token) {
    float[] row = new float[shape.keyHeads * shape.headDim];
    shape.write(token, 0, DecoderShape.KEY, row, 0);
    return row;
  }

  private static void add(DecoderShape shape, int pageSize, Held to, long token) {
    float[] row = row(shape, token);
    int page = to.tokens.size() / pageSize;
    for (int head = 0; head < shape.keyHeads; head++) {
      float most = to.tokens.size() % pageSize == 0 ? 0 : to.largest[page][head];
      for (int d = 0; d < shape.headDim; d++) {
        most = Math.max(most, Math.abs(row[head * shape.headDim + d]));
      }
      to.largest[page][head] = most;
    }
    to.tokens.add(token);
  }

  private static double most(DType type) {
    return type == DType.INT8 ? 127 : type == DType.INT4X2 ? 7 : 448;
  }

  private static double stored(Tensor keys, int page, int row, int head, int column) {
    if (keys.dtype() == DType.INT4X2) {
      int both = keys.getByte(page, row, head, column / 2);
      return both << (column % 2 == 0 ? 28 : 24) >> 28;
    }
    byte code = keys.getByte(page, row, head, column);
    if (keys.dtype() == DType.INT8) {
      return code;
    }
    int exponent = code >> 3 & 15;
    double size =
        exponent == 0 ? (code & 7) * 0x1p-9 : Math.scalb(1 + (code & 7) / 8.0, exponent - 7);
    return code < 0 ? -size : size;
  }

  private static void check(DecoderShape shape, Held it, String what) {
    KvCache cache = it.sequence.cache();
    DType type = shape.kind.type();
    for (int j = 0; j < it.tokens.size(); j++) {
      float[] row = row(shape, it.tokens.get(j));
      int page = it.sequence.page(j / cache.pageSize());
      for (int head = 0; head < shape.keyHeads; head++) {
        double scale = cache.keyScales(0).getFloat(page, 0, head);
        double least = it.largest[j / cache.pageSize()][head] / most(type);
        assertTrue(scale >= least && scale / 2 < least, what + ": " + scale + " for " + least);
        assertEquals(0x1p0, scale / Math.scalb(1, Math.getExponent(scale)), what);
        for (int d = 0; d < shape.headDim; d++) {
          double x = row[head * shape.headDim + d];
          double element = stored(cache.key(0), page, j % cache.pageSize(), head, d);
          double bound = type == DType.FLOAT8_E4M3 ? Math.abs(x) / 16 + scale / 512 : scale;
          if (!(Math.abs(scale * element - x) < bound)) {
            throw new AssertionError(
                what + ": token " + j + " has " + scale * element + " for " + x);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INT8_PAGE", "INT4_PAGE", "FLOAT8_PAGE"})
  void elementsErrByTheirBound(CacheKind kind) {
    for (int seed = 0; seed < 20; seed++) {
      Random random = new Random(seed);
      random.nextInt();
      DecoderShape shape = shape(random, kind);
      int size = 2 << random.nextInt(4);
      int pages = Math.ceilDiv(LONGEST, size);
      try (KvCache cache = shape.cache(size, 5 * pages).longest(LONGEST).make();
          KvBatch batch = cache.batch(1);
          Decoder decoder = new Decoder(shape, new Place.Paged(cache, batch), true)) {
        CacheKind.poison(cache);
        List<Held> all = new ArrayList<>();
        all.add(new Held(cache.open(), pages, shape.keyHeads));
        for (int step = 0; step < 60; step++) {
          Held some = all.get(random.nextInt(all.size()));
          int length = some.tokens.size();
          int what = random.nextInt(10);
          if (what == 0 && all.size() < 4) {
            all.add(some.fork());
          } else if (what < 3) {
            int kept = random.nextInt(length + 1);
            some.sequence.truncate(kept);
            some.tokens.subList(kept, length).clear();
          } else {
            long[] tokens =
                random.longs(Math.min(LONGEST - length, random.nextInt(6)), 0, 1L << 40).toArray();
            batch.put(0, some.sequence);
            decoder.step(new long[][] {tokens});
            batch.remove(0);
            for (long token : tokens) {
              add(shape, size, some, token);
            }
          }
          for (Held it : all) {
            check(shape, it, "seed " + seed + ", step " + step + " of " + shape);
          }
        }
      }
    }
  }
}
