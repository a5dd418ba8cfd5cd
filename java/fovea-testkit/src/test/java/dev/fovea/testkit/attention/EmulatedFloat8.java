package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.Rounding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A forward pass as a kernel of warpgroups computes it in e4m3, and what becomes of it with one of
 * the usual bugs: tiles of keys from the last to the first, exponents relative to a maximum that
 * lags, sums of values in two levels.
 */
final class EmulatedFloat8 {

  /** What may be wrong. */
  enum Bug {
    NONE,
    /** One key of a row in the middle of those that it sees is forgotten. */
    DROPPED_KEY,
    /** The sums so far keep the maximum that they had. */
    LOST_RESCALE,
    /** One key too many on the right. */
    CAUSAL_OFF_BY_ONE,
    NO_QUERY_SCALE,
    NO_KEY_SCALE,
    NO_VALUE_SCALE,
    /** Scales of the first sequence and head are those of all. */
    SCALES_OF_THE_FIRST,
    /** Weights are cut where they are to be rounded. */
    CUT_WEIGHTS,
    /** All of a row's values are summed in one level. */
    ONE_LEVEL
  }

  /** What a kernel may do as it likes. */
  enum Kernel {
    /** A reference that lags, and sums that are cut. */
    RIGHT,
    /** The definition: the maximum of all keys, and exact sums. */
    DEFINITION
  }

  private static final int TILE = 128;
  private static final int TILES = 4; // of a sum of values
  private static final int STEP = TensorCore.HOPPER_FLOAT8.step;
  private static final int LEAST = -6; // exponent
  private static final double OFFSET = 8; // of exponents
  private static final double HEADROOM = 0.75;

  private final AttentionCase c;
  private final Operands data;
  private final Kernel kernel;
  private final Bug bug;
  private final Geometry g;
  private final Options o;
  private final int[] cuQ;
  private final int[] cuK;
  private final double[] out;
  private final double[] lse; // null: none
  private float[][] keys;
  private float[][] values; // by column
  private double valueScale;
  private double scoreScale;

  private EmulatedFloat8(AttentionCase c, Operands data, Kernel kernel, Bug bug) {
    this.c = c;
    this.data = data;
    this.kernel = kernel;
    this.bug = bug;
    g = c.geometry();
    o = c.options();
    cuQ = g.cuQ();
    cuK = g.cuK();
    out = new double[c.layouts().out().elements()];
    lse = o.lse() ? new double[c.layouts().lse().elements()] : null;
  }

  /** What comparing its results with what is expected gives. */
  static String verdict(
      AttentionCase c, Operands data, Kernel kernel, Bug bug, Oracle.Outputs expected) {
    EmulatedFloat8 it = new EmulatedFloat8(c, data, kernel, bug);
    it.run();
    String wrong = compare("out", it.out, expected.out());
    return wrong != null || it.lse == null ? wrong : compare("lse", it.lse, expected.lse());
  }

  /** The root mean square error of its out before it is rounded. */
  static double meanError(AttentionCase c, Operands data, Kernel kernel, Oracle.Outputs expected) {
    EmulatedFloat8 it = new EmulatedFloat8(c, data, kernel, Bug.NONE);
    it.run();
    double squares = 0;
    for (int i = 0; i < it.out.length; i++) {
      double error = it.out[i] - expected.out().value(i);
      squares += expected.out().state(i) == Expected.COMPARE ? error * error : 0;
    }
    return Math.sqrt(squares / it.out.length);
  }

  private static String compare(String name, double[] got, Expected expected) {
    DType type = expected.dtype();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate((long) got.length * Rounding.bytes(type) + 4, 4);
      int[] bits = Rounding.canaries(type, got.length);
      for (int i = 0; i < got.length; i++) {
        if (expected.state(i) == Expected.COMPARE) {
          bits[i] = Rounding.bits(type, Rounding.round(type, got[i]));
        }
      }
      Rounding.writeBits(memory, type, bits);
      return Comparison.compare(name, memory, expected);
    }
  }

  private void run() {
    if (lse != null) {
      Arrays.fill(lse, Double.NEGATIVE_INFINITY); // of padding
    }
    for (int b = 0; b < g.batch(); b++) {
      for (int kv = 0; kv < g.keyHeads() && g.lenQ(b) > 0; kv++) {
        load(b, kv);
        for (int h = kv * g.group(); h < (kv + 1) * g.group(); h++) {
          for (int i = 0; i < g.lenQ(b); i++) {
            row(b, h, i);
          }
        }
      }
    }
  }

  private void load(int b, int kv) {
    boolean first = bug == Bug.SCALES_OF_THE_FIRST;
    int at = first ? 0 : b;
    int head = first ? 0 : kv;
    Layout layout = c.layouts().queryScales();
    double queryScale =
        layout == null || bug == Bug.NO_QUERY_SCALE
            ? 1
            : data.queryScales()[layout.atBroadcast(at, head, 0)];
    double keyScale = scale(data.cache().keyScales(), b, kv);
    double given = scale(data.cache().keyScales(), at, head);
    valueScale = bug == Bug.NO_VALUE_SCALE ? 1 : scale(data.cache().valueScales(), at, head);
    scoreScale =
        (o.scale() == null ? 1 / Math.sqrt(g.headDim()) : o.scale())
            * queryScale
            * (bug == Bug.NO_KEY_SCALE ? 1 : given)
            / Math.log(2);
    keys = new float[g.lenK(b)][g.headDim()];
    values = new float[g.valueHeadDim()][g.lenK(b)];
    double ofValues = scale(data.cache().valueScales(), b, kv);
    for (int j = 0; j < g.lenK(b); j++) {
      int row = c.rowIndex(c.layouts().key(), cuK, b, j, kv);
      for (int d = 0; d < g.headDim(); d++) {
        keys[j][d] = keyScale == 0 ? 0 : (float) (data.key()[row + d] / keyScale);
      }
      row = c.rowIndex(c.layouts().value(), cuK, b, j, kv);
      for (int d = 0; d < g.valueHeadDim(); d++) {
        values[d][j] = ofValues == 0 ? 0 : (float) (data.value()[row + d] / ofValues);
      }
    }
  }

  private double scale(float[] scales, int b, int kv) {
    return scales == null ? 1 : scales[c.cache().scaleLayout(g).atBroadcast(0, b, 0) + kv];
  }

  private static float round(double weight) {
    double within = Math.min(weight, 448);
    return Quantization.value(
        DType.FLOAT8_E4M3, Quantization.quantize(DType.FLOAT8_E4M3, (float) within));
  }

  private float cut(double weight) {
    float nearest = round(weight);
    if (bug != Bug.CUT_WEIGHTS || nearest <= weight) {
      return nearest;
    }
    int bits = Quantization.quantize(DType.FLOAT8_E4M3, nearest);
    return Quantization.value(DType.FLOAT8_E4M3, bits - 1);
  }

  /** In units of log2. */
  private double score(float[] query, float[] key) {
    if (kernel == Kernel.RIGHT) {
      return TensorCore.HOPPER_FLOAT8.add(0, query, key, STEP, LEAST) * scoreScale;
    }
    double sum = 0;
    for (int d = 0; d < query.length; d++) {
      sum += (double) query[d] * key[d];
    }
    return sum * scoreScale;
  }

  private void row(int b, int h, int i) {
    int begin = c.visibleBegin(b, i);
    int end = c.visibleEnd(b, i);
    if (bug == Bug.CAUSAL_OFF_BY_ONE && o.causal()) {
      end = Math.min(end + 1, g.lenK(b));
    }
    int dropped = bug == Bug.DROPPED_KEY && end - begin > 1 ? (begin + end) / 2 : -1;
    float[] query = new float[g.headDim()];
    int at = c.rowIndex(c.layouts().query(), cuQ, b, i, h);
    System.arraycopy(data.query(), at, query, 0, query.length);
    double[] x = new double[Math.max(0, end)];
    Arrays.fill(x, Double.NEGATIVE_INFINITY);
    double all = Double.NEGATIVE_INFINITY;
    for (int j = begin; j < end; j++) {
      x[j] = j == dropped ? Double.NEGATIVE_INFINITY : score(query, keys[j]);
      all = Math.max(all, x[j]);
    }
    Sums sums = new Sums();
    if (kernel == Kernel.DEFINITION) {
      sums.reference = all;
    }
    for (int tile = (end - 1) / TILE; tile >= begin / TILE && end > begin; tile--) {
      int last = Math.min(end, (tile + 1) * TILE);
      sums.add(x, Math.max(begin, tile * TILE), last, tile * TILE);
    }
    sums.end();
    store(b, h, i, sums);
  }

  private void store(int b, int h, int i, Sums sums) {
    double natural = Math.log(2);
    double unit = natural * (sums.reference - OFFSET); // its logarithm
    double total = sums.weights;
    if (data.sinks() != null && sums.reference > Double.NEGATIVE_INFINITY) {
      total += Math.exp(data.sinks()[h] - unit);
    }
    int row = c.rowIndex(c.layouts().out(), cuQ, b, i, h);
    for (int d = 0; d < g.valueHeadDim(); d++) {
      out[row + d] = sums.weights > 0 ? sums.all[d] / total * valueScale : 0;
    }
    if (lse != null) {
      boolean none = sums.reference == Double.NEGATIVE_INFINITY;
      double sink = data.sinks() == null ? Double.NEGATIVE_INFINITY : data.sinks()[h];
      lse[c.lseIndex(cuQ, b, h, i)] = none ? sink : Math.log(total) + unit;
    }
  }

  /** Of a row so far. */
  private final class Sums {
    final double[] all = new double[g.valueHeadDim()];
    final float[] latest = new float[g.valueHeadDim()];
    double reference = Double.NEGATIVE_INFINITY;
    double weights;
    private int tiles;

    /** Of keys [begin, end) of a tile that begins at {@code first}. */
    void add(double[] x, int begin, int end, int first) {
      double highest = Double.NEGATIVE_INFINITY;
      for (int j = begin; j < end; j++) {
        highest = Math.max(highest, x[j]);
      }
      if (highest > reference + HEADROOM && kernel == Kernel.RIGHT) {
        rescale(Math.pow(2, reference - highest));
        reference = highest;
      }
      float[] rounded = new float[TILE];
      for (int j = begin; j < end; j++) {
        double p = x[j] == Double.NEGATIVE_INFINITY ? 0 : Math.pow(2, x[j] - reference + OFFSET);
        rounded[j - first] = cut(p);
        weights += p;
      }
      for (int d = 0; d < all.length; d++) {
        float[] column = new float[TILE];
        System.arraycopy(values[d], begin, column, begin - first, end - begin);
        if (kernel == Kernel.DEFINITION) {
          for (int k = 0; k < TILE; k++) {
            all[d] += (double) rounded[k] * column[k];
          }
        } else {
          latest[d] =
              TensorCore.HOPPER_FLOAT8.add(
                  tiles == 0 ? 0 : latest[d], rounded, column, STEP, LEAST);
        }
      }
      if (++tiles == TILES && bug != Bug.ONE_LEVEL) {
        end();
      }
    }

    private void rescale(double factor) {
      if (bug == Bug.LOST_RESCALE && weights > 0) {
        return;
      }
      weights *= factor;
      for (int d = 0; d < all.length; d++) {
        all[d] *= factor;
        latest[d] *= (float) factor;
      }
    }

    void end() {
      for (int d = 0; d < all.length && tiles > 0; d++) {
        all[d] += latest[d];
      }
      tiles = 0;
    }
  }
}
