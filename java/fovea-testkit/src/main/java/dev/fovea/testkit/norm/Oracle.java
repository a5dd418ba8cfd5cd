package dev.fovea.testkit.norm;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive normalization, and its gradients, in float64 over the exact values of the operands, by the
 * formulas of fovea.h, with the error that a right kernel may make. Nothing here is tiled or shared
 * with any backend.
 *
 * <p>Bounds, with u = 2^-24, to first order. A float32 sum over a row rounds no term more than h
 * times, h the smaller of D and {@link #ROUNDINGS}, since kernels sum parts of a row: it errs by h
 * u times the sum of sizes. With dev = x - mu, s = sqrt(variance) and a = mean |dev|:
 *
 * <ul>
 *   <li>A kernel takes differences d = x - p to a pivot p that is no further than s from the mean,
 *       c = mu - p, so that |d| is at most |dev| + s, and is wrong by u of it. The pivot of equal
 *       elements is these.
 *   <li>c, a mean of d, is wrong by e = (h + 4) u (a + s): h for the sum, 1 for d, 3 for the share
 *       and for what holds it.
 *   <li>dev = d - c, or z as d r - c r, is wrong by 2 u (|dev| + s) + e, in z times r.
 *   <li>The variance, mean d^2 - c^2, where c^2 is at most s^2: (h + 6) u (variance + s^2) + 2 s e.
 *       Half of that, relative to variance + epsilon, is what r is wrong by, and 4 u for the sum
 *       with epsilon, the root and the inverse.
 *   <li>z = dev r: r times the error of dev, and as r, and a rounding; out = z weight + bias two
 *       more, of which the last is that of the result in float32.
 *   <li>Backward, with g = dout weight: mean g is wrong by (h + 3) u mean |g|. mean g z is r times
 *       mean g d - c mean g: (h + 8) u mean (|g| (|dev| + 2 s)) + e mean |g|, times r, and as r,
 *       and 3 roundings. dx = r (g - mean g - z mean g z) has the errors of its parts, and a
 *       rounding for each operation.
 *   <li>Sums over rows: no term is rounded more than {@link #ROWS} times.
 * </ul>
 *
 * <p>Without a mean s and e are 0 in all of this but the variance. What is not a normal float32 may
 * be flushed. Rows whose squares are beyond float32, or so small beside epsilon that what is
 * flushed matters, may be anything.
 */
public final class Oracle {

  static final double UNIT = 0x1p-24;
  static final double FLUSHED = 0x1p-126;

  /** Of a term in a sum over a row. */
  static final int ROUNDINGS = 48;

  /** Of a term in a sum over rows. */
  private static final int ROWS = 300;

  private final NormCase c;
  private final Operands data;
  private final NormSizes s;
  private final Map<String, Expected> outputs = new LinkedHashMap<>();

  private Oracle(NormCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(NormCase c, Operands data) {
    return new Oracle(c, data).run();
  }

  private Map<String, Expected> run() {
    if (c.isBackward()) {
      backward();
    } else {
      forward();
    }
    return outputs;
  }

  private Expected output(String name, DType type) {
    if (!c.has(name)) {
      return null;
    }
    Expected expected = new Expected(type, c.layout(name).elements());
    outputs.put(name, expected);
    return expected;
  }

  private interface RowBody {
    void run(Row row, int b, int position, int h);
  }

  private void eachRow(RowBody body) {
    for (int b = 0; b < s.batch(); b++) {
      for (int position = 0; position < s.length(); position++) {
        for (int h = 0; h < s.heads(); h++) {
          int x = c.layout("x").at(b, position, h);
          body.run(new Row(data.get("x"), x, s.width(), c.centered(), c.epsilon()), b, position, h);
        }
      }
    }
  }

  /** An element of weight or bias. */
  private double element(String vectors, int h, int i, double otherwise) {
    return c.has(vectors) ? data.get(vectors)[c.headAt(vectors, h) + i] : otherwise;
  }

  private static void expect(Expected to, int at, double exact, double error, boolean free) {
    if (free) {
      to.free(at, exact);
    } else if (Double.isFinite(exact)) {
      // Float32 rounds before a narrower type does.
      double narrow = to.dtype() == DType.FLOAT32 ? 0 : UNIT * Math.abs(exact);
      to.expectRounded(at, exact, error + narrow);
    } else {
      to.expect(at, exact, 0);
    }
  }

  private void forward() {
    Expected out = output("out", c.outDType());
    Expected mean = output("mean", DType.FLOAT32);
    Expected inverse = output("inverse", DType.FLOAT32);
    eachRow(
        (row, b, position, h) -> {
          int at = c.layout("out").at(b, position, h);
          for (int i = 0; i < s.width(); i++) {
            double weight = element("weight", h, i, 1);
            double scaled = row.z(i) * weight;
            double error =
                Math.abs(weight) * (row.error(i) + FLUSHED) + UNIT * Math.abs(scaled) + FLUSHED;
            expect(out, at + i, scaled + element("bias", h, i, 0), error, row.free);
          }
          if (mean != null) {
            int to = c.layout("mean").at(new long[] {b, position}) + h;
            expect(mean, to, row.mean, row.meanError, row.free);
          }
          if (inverse != null) {
            int to = c.layout("inverse").at(new long[] {b, position}) + h;
            expect(inverse, to, row.inverse, row.inverse * row.inverseError, row.free);
          }
        });
  }

  private void backward() {
    Expected dx = output("dx", c.gradients().dtype());
    Sums dweight = c.has("dweight") ? new Sums("dweight") : null;
    Sums dbias = c.has("dbias") ? new Sums("dbias") : null;
    eachRow(
        (row, b, position, h) -> {
          int dout = c.layout("dout").at(b, position, h);
          rowOfDx(dx, row, dout, c.layout("dx").at(b, position, h), h);
          for (int i = 0; i < s.width(); i++) {
            double gradient = data.get("dout")[dout + i];
            if (dweight != null) {
              dweight.add(h, i, gradient * row.z(i), Math.abs(gradient) * row.error(i), row.free);
            }
            if (dbias != null) {
              dbias.add(h, i, gradient, 0, false);
            }
          }
        });
    for (Sums sums : new Sums[] {dweight, dbias}) {
      if (sums != null) {
        sums.expect();
      }
    }
  }

  private void rowOfDx(Expected dx, Row row, int dout, int to, int h) {
    int width = s.width();
    int roundings = Math.min(width, ROUNDINGS);
    double sum = 0;
    double products = 0;
    double sizes = 0;
    double productSizes = 0;
    double[] g = new double[width];
    for (int i = 0; i < width; i++) {
      g[i] = data.get("dout")[dout + i] * element("weight", h, i, 1);
      sum += g[i];
      products += g[i] * row.z(i);
      sizes += Math.abs(g[i]);
      productSizes += Math.abs(g[i]) * (Math.abs(row.deviation[i]) + 2 * row.distance);
    }
    double mean = c.centered() ? sum / width : 0;
    double meanError = c.centered() ? (roundings + 3) * UNIT * sizes / width + FLUSHED : 0;
    double product = products / width;
    double productError =
        row.inverse
                * ((roundings + 8) * UNIT * productSizes + row.meanError * sizes)
                / width
                * (1 + row.inverseError)
            + Math.abs(product) * (row.inverseError + 3 * UNIT)
            + FLUSHED * (1 + row.inverse);
    for (int i = 0; i < width; i++) {
      double z = row.z(i);
      double inner = g[i] - mean - z * product;
      double error =
          UNIT * (3 * Math.abs(g[i]) + 2 * Math.abs(mean) + 2 * Math.abs(z * product))
              + meanError
              + Math.abs(z) * productError
              + Math.abs(product) * row.error(i)
              + 4 * FLUSHED;
      double exact = inner * row.inverse;
      double own = row.inverse * error * (1 + row.inverseError);
      own += Math.abs(exact) * (row.inverseError + UNIT);
      double before = c.accumulatesDx() ? data.get("dx")[to + i] : 0;
      expect(dx, to + i, before + exact, own + FLUSHED, row.free);
    }
  }

  /** A gradient of weight or bias: sums over rows. */
  private final class Sums {
    private final String name;
    private final int heads;
    private final double[][] value;
    private final double[][] sizes;
    private final double[][] errors;
    private final boolean[][] free;

    Sums(String name) {
      this.name = name;
      heads = (int) c.layout(name).size()[0];
      value = new double[heads][s.width()];
      sizes = new double[heads][s.width()];
      errors = new double[heads][s.width()];
      free = new boolean[heads][s.width()];
    }

    void add(int h, int i, double term, double error, boolean isFree) {
      int own = heads == 1 ? 0 : h;
      value[own][i] += term;
      sizes[own][i] += Math.abs(term);
      errors[own][i] += error;
      free[own][i] |= isFree;
    }

    void expect() {
      double rows = (double) s.batch() * s.length() * s.heads() / heads;
      double roundings = Math.min(rows, ROWS) + 1;
      Expected to = output(name, DType.FLOAT32);
      for (int h = 0; h < heads; h++) {
        int at = c.headAt(name, h);
        for (int i = 0; i < s.width(); i++) {
          double before = c.gradients().accumulate() ? data.get(name)[at + i] : 0;
          double error = errors[h][i] + roundings * UNIT * sizes[h][i] + rows * FLUSHED;
          Oracle.expect(to, at + i, before + value[h][i], error, free[h][i]);
        }
      }
    }
  }
}
