package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.fovea.Device;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.TestDevice;
import java.util.Arrays;

/**
 * Every device keeps the same weights, bit for bit: those that fovea.h's formula keeps. Keys score
 * alike, and values are columns of the identity, so that column e of out is not 0 where the weight
 * of key e is kept.
 */
class DropoutConformanceTest {

  private static final int COLUMNS = 128;

  private static final long[] SEEDS = {0, 1, -1, Long.MIN_VALUE, 0x123456789abcdef0L};
  private static final int[] OFFSETS = {0, 1, -1, Integer.MIN_VALUE};
  private static final float[] PROBABILITIES = {0.1f, 0.5f, 0.9f};

  private static CaseBuilder usual(int n) {
    return new CaseBuilder()
        .dtype(TestDevice.TYPES.get(n % 3))
        .heads(4, 2)
        .headDim(8, COLUMNS)
        .dropout(PROBABILITIES[n / 2 % 3], SEEDS[n % 5], OFFSETS[n % 4]);
  }

  private static void check(TestDevice on, AttentionCase c) {
    boolean[] kept = kept(c, on.device());
    assertArrayEquals(formula(c), kept, () -> "the formula: " + c);
    assertArrayEquals(kept(c, Device.cpu()), kept, () -> "the CPU: " + c);
  }

  /** Lengths on both sides of the 32 keys that share counters, and of tiles. */
  @OnEveryDevice
  void keysAcrossWords(TestDevice on) {
    int n = 0;
    for (int keys : new int[] {1, 2, 31, 32, 33, 63, 64, 65, 97, 130, 300}) {
      check(on, usual(n++).lengths(2, 5, keys).build());
    }
  }

  /** Positions and heads count within a sequence, whatever tile they are in. */
  @OnEveryDevice
  void rowsAcrossTiles(TestDevice on) {
    int n = 0;
    for (int queries : new int[] {1, 16, 33, 64, 65, 130, 200}) {
      check(on, usual(n++).lengths(2, queries, 40).build());
      check(on, usual(n++).lengths(1, queries, 70).heads(3, 1).causal().build());
    }
  }

  @OnEveryDevice
  void raggedSequences(TestDevice on) {
    int[] queries = {40, 0, 17, 3};
    int[] keys = {33, 64, 90, 0};
    for (int n = 0; n < 6; n++) {
      CaseBuilder padded = usual(n).lengths(4, 50, 100).ragged(queries, keys);
      check(on, n % 2 == 0 ? padded.build() : usual(n).packed(queries, keys).build());
    }
  }

  private static int index(Geometry g, int b, int h, int i) {
    return ((b * g.queryHeads() + h) * g.queryLength() + i) * g.keyLength();
  }

  private static boolean[] none(Geometry g) {
    return new boolean[g.batch() * g.queryHeads() * g.queryLength() * g.keyLength()];
  }

  private static boolean[] formula(AttentionCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    boolean[] kept = none(g);
    boolean[] row = new boolean[g.keyLength()];
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int seen = c.visibleEnd(b, i);
          if (seen > 0) {
            int head = b * g.queryHeads() + h;
            int threshold = Philox.threshold(o.dropout());
            Philox.keep(row, 0, seen, i, head, o.seed(), o.offset(), threshold);
            System.arraycopy(row, 0, kept, index(g, b, h, i), seen);
          }
        }
      }
    }
    return kept;
  }

  private static boolean[] kept(AttentionCase c, Device device) {
    Geometry g = c.geometry();
    boolean[] kept = none(g);
    for (int first = 0; first < g.keyLength(); first += COLUMNS) {
      try (CaseRun run = new CaseRun(c, identity(c, first), device)) {
        run.run();
        float[] out =
            Rounding.read(run.out(), c.options().outDType(), c.layouts().out().elements());
        for (int b = 0; b < g.batch(); b++) {
          for (int h = 0; h < g.queryHeads(); h++) {
            for (int i = 0; i < g.lenQ(b); i++) {
              int at = c.rowIndex(c.layouts().out(), g.cuQ(), b, i, h);
              for (int e = 0; e < COLUMNS && first + e < g.keyLength(); e++) {
                kept[index(g, b, h, i) + first + e] = out[at + e] != 0;
              }
            }
          }
        }
      }
    }
    return kept;
  }

  /** Scores of 0, and values that show the keys from {@code first} on, each in its column. */
  private static Operands identity(AttentionCase c, int first) {
    Geometry g = c.geometry();
    float[] value = new float[c.layouts().value().elements()];
    for (int b = 0; b < g.batch(); b++) {
      for (int kv = 0; kv < g.keyHeads(); kv++) {
        for (int j = first; j < Math.min(g.lenK(b), first + COLUMNS); j++) {
          value[c.rowIndex(c.layouts().value(), g.cuK(), b, j, kv) + j - first] = 1;
        }
      }
    }
    float[] query = new float[c.layouts().query().elements()];
    float[] key = new float[c.layouts().key().elements()];
    Arrays.fill(key, 1);
    return new Operands(query, key, value, null, null, null);
  }
}
