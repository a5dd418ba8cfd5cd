package dev.fovea.testkit.projection;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.attention.Precision;
import dev.fovea.testkit.projection.ProjectionCase.Content;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive projection of sequences, and its gradients, in float64 over the exact values of the
 * operands, by the formulas of fovea.h, with the error that a right kernel may make. Nothing here
 * is tiled or shared with any backend.
 *
 * <p>Bounds, with u = 2^-24, of a sum of n products whose sizes sum to A:
 *
 * <ul>
 *   <li>In float32 2 (1 + sqrt(n)) u A, and where every value of an operand is the same, so that
 *       all steps round alike, (2 + n) u A; what is not a normal float32 may be flushed.
 *   <li>On tensor cores also what {@link Precision#truncation} says of the products that are added
 *       there one to the other: no more than 1024, then their sum joins the others by a float32
 *       addition. Both are derived at {@link dev.fovea.testkit.attention.Oracle}, as is the least
 *       size of factors of float16.
 *   <li>Products on tensor cores take dout in the type of x: where it has another, each term errs
 *       by what that rounding is, times the other factor.
 *   <li>What dweight holds before adds a rounding. The result rounds once, from what was computed.
 * </ul>
 *
 * <p>A sum with a NaN is NaN, one with an infinity infinite, in every order.
 */
public final class Oracle {

  private static final double UNIT = 0x1p-24;
  private static final double FLUSHED = 0x1p-125;
  private static final int CHAINED = 1024; // products that tensor cores add one to the other

  private final ProjectionCase c;
  private final Operands data;
  private final Precision precision;
  private final ProjectionSizes s;
  private final double least;
  private final Map<String, Expected> outputs = new LinkedHashMap<>();

  private Oracle(ProjectionCase c, Operands data, Precision precision) {
    this.c = c;
    this.data = data;
    this.precision = precision;
    s = c.sizes();
    least = precision.leastFactor(c.dtype());
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(ProjectionCase c, Operands data, Precision precision) {
    return new Oracle(c, data, precision).run();
  }

  private Map<String, Expected> run() {
    if (!c.isBackward()) {
      forward(output("out", c.outDType()));
      return outputs;
    }
    backward(output("dx", c.gradients().dtype()));
    if (c.has("dweight")) {
      weight(output("dweight", DType.FLOAT32));
    }
    return outputs;
  }

  private Expected output(String name, DType type) {
    Expected expected = new Expected(type, c.layout(name).elements());
    outputs.put(name, expected);
    return expected;
  }

  private int weightAt(String name, int head, int row) {
    return c.layout(name).at(new long[] {c.own(name, head), row});
  }

  /** Sums of products, one for each column of a row. */
  private final class Sums {
    final double[] value;
    final double[] sizes;
    final double[] inherited;
    long count;

    Sums(int columns) {
      value = new double[columns];
      sizes = new double[columns];
      inherited = new double[columns];
    }

    /** Adds a factor times a row of others, which may be rows of dout. */
    void add(float factor, float[] row, int at, boolean ofDout) {
      for (int i = 0; i < value.length; i++) {
        value[i] += (double) factor * row[at + i];
        sizes[i] += size(factor) * size(row[at + i]);
        inherited[i] += ofDout ? Math.abs(factor) * rounding(row[at + i]) : 0;
      }
      count++;
    }

    /** Says what must stand in a row; {@code before} is what it held, null for nothing. */
    void expect(Expected out, int at, float[] before) {
      for (int i = 0; i < value.length; i++) {
        double exact = value[i] + (before == null ? 0 : before[at + i]);
        if (count == 0 || Double.isNaN(exact) || Double.isInfinite(exact)) {
          out.expect(at + i, exact, 0);
          continue;
        }
        double error = inherited[i] + relative(count) * sizes[i] + count * FLUSHED;
        out.expectRounded(at + i, exact, error + (before == null ? 0 : UNIT * Math.abs(exact)));
      }
    }
  }

  private double size(float factor) {
    return factor == 0 ? 0 : Math.max(Math.abs(factor), least);
  }

  /** What an element of dout is off by as the factor of a product. */
  private double rounding(float dout) {
    boolean rounds = precision.tensorCores() && c.outDType() != c.dtype();
    return rounds ? Math.abs(Rounding.round(c.dtype(), dout) - (double) dout) : 0;
  }

  private double relative(long count) {
    double sum = c.content() == Content.CONSTANT ? 2 + (double) count : 2 * (1 + Math.sqrt(count));
    return sum * UNIT + precision.truncation(c.dtype(), false, Math.min(count, CHAINED));
  }

  private void forward(Expected out) {
    Layout x = c.layout("x");
    for (int b = 0; b < s.batch(); b++) {
      for (int h = 0; h < s.heads(); h++) {
        for (int r = 0; r < s.rank(); r++) {
          Sums sums = new Sums(s.headDim());
          int weight = weightAt("weight", h, r);
          for (int j = 0; j < s.length(b); j++) {
            sums.add(data.get("weight")[weight + j], data.get("x"), x.at(b, j, h), false);
          }
          sums.expect(out, c.layout("out").at(b, r, h), null);
        }
      }
    }
  }

  private void backward(Expected dx) {
    Layout dout = c.layout("dout");
    for (int b = 0; b < s.batch(); b++) {
      for (int h = 0; h < s.heads(); h++) {
        for (int j = 0; j < s.length(); j++) {
          Sums sums = new Sums(s.headDim());
          for (int r = 0; r < s.rank() && j < s.length(b); r++) {
            float weight = data.get("weight")[weightAt("weight", h, r) + j];
            sums.add(weight, data.get("dout"), dout.at(b, r, h), true);
          }
          sums.expect(dx, c.layout("dx").at(b, j, h), null);
        }
      }
    }
  }

  private void weight(Expected dweight) {
    int heads = (int) c.layout("dweight").size()[0];
    float[] before = c.gradients().accumulate() ? data.get("dweight") : null;
    for (int own = 0; own < heads; own++) {
      for (int r = 0; r < s.rank(); r++) {
        for (int j = 0; j < s.length(); j++) {
          Sums sums = new Sums(1);
          for (int b = 0; b < s.batch(); b++) {
            for (int h = own; h < (heads == 1 ? s.heads() : own + 1) && j < s.length(b); h++) {
              addColumns(sums, b, h, r, j);
            }
          }
          sums.expect(dweight, weightAt("dweight", own, r) + j, before);
        }
      }
    }
  }

  /** Adds the products of the columns of dout and x. */
  private void addColumns(Sums sums, int b, int h, int r, int j) {
    int dout = c.layout("dout").at(b, r, h);
    int x = c.layout("x").at(b, j, h);
    float[] rows = data.get("x");
    float[] gradients = data.get("dout");
    for (int d = 0; d < s.headDim(); d++) {
      sums.add(rows[x + d], gradients, dout + d, true);
    }
  }
}
