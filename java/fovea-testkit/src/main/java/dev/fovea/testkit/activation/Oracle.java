package dev.fovea.testkit.activation;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Sigmoid;
import dev.fovea.testkit.activation.ActivationCase.Content;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive activation, and its gradients, in float64 over the exact values of the operands, by the
 * formulas of fovea.h, with the error that a right kernel may make. Nothing here is tiled or shared
 * with any backend.
 *
 * <p>Bounds: of functions those that {@link Functions} derives; each sum and product rounds once,
 * as {@link Measured} has it; the result rounds to its type. What nothing was computed of is bit
 * for bit its rounding. A sum of n gradients, of sizes that sum to A, errs by what they do, and in
 * float32 by 2 (1 + sqrt(n)) u A, or, where all are the same so that all steps round alike, (2 + n)
 * u A, u = 2^-24; what dbias holds before adds a rounding.
 *
 * <p>What is dropped is 0, and so are its gradients, whatever they would be. Infinities and NaN
 * follow IEEE 754 from the limits of functions on; where an infinity meets what float32 may have as
 * 0, anything may come out.
 */
public final class Oracle {

  private final ActivationCase c;
  private final Operands data;
  private final ActivationSizes s;
  private final int threshold;
  private final Measured scale;
  private final Map<String, Expected> outputs = new LinkedHashMap<>();
  private final Sums sums;

  private Oracle(ActivationCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
    threshold = Philox.threshold(c.dropout());
    scale = Measured.rounded(65536.0 / (65536 - threshold), 0);
    sums = new Sums(s.width());
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(ActivationCase c, Operands data) {
    return new Oracle(c, data).run();
  }

  private Map<String, Expected> run() {
    if (c.isBackward()) {
      for (String gradient : new String[] {"dx", "dgate", "dresidual"}) {
        output(gradient, c.gradients().dtype());
      }
      output("dbias", DType.FLOAT32);
    } else {
      output("out", c.outDType());
    }
    boolean[] keep = new boolean[s.width()];
    Arrays.fill(keep, true);
    for (int b = 0; b < s.batch(); b++) {
      for (int row = 0; row < s.length(); row++) {
        if (threshold > 0) {
          Philox.keep(keep, 0, s.width(), row, b, c.seed(), c.offset(), threshold);
        }
        for (int d = 0; d < s.width(); d++) {
          if (c.isBackward()) {
            backward(b, row, d, keep[d]);
          } else {
            forward(b, row, d, keep[d]);
          }
        }
      }
    }
    if (c.has("dbias")) {
      sums.expect(outputs.get("dbias"));
    }
    return outputs;
  }

  private void output(String name, DType type) {
    if (c.has(name)) {
      outputs.put(name, new Expected(type, c.layout(name).elements()));
    }
  }

  private Measured given(String operand, int b, int row, int d) {
    return Measured.exact(data.get(operand)[c.at(operand, b, row) + d]);
  }

  private Measured z(int b, int row, int d) {
    Measured x = given("x", b, row, d);
    if (!c.has("bias")) {
      return x;
    }
    int at = (int) c.layout("bias").offset() + d;
    return x.plus(Measured.exact(data.get("bias")[at]));
  }

  private void expect(String output, int b, int row, int d, Measured result) {
    Expected out = outputs.get(output);
    if (out == null) {
      return;
    }
    int at = c.at(output, b, row) + d;
    if (result.error() == 0) {
      out.expect(at, Rounding.round(out.dtype(), result.value()), 0);
    } else {
      out.expectRounded(at, result.value(), result.error());
    }
  }

  private void forward(int b, int row, int d, boolean kept) {
    Measured y = Measured.exact(0);
    if (kept) {
      y = Functions.value(c.function(), z(b, row, d));
      y = c.has("gate") ? y.times(given("gate", b, row, d)) : y;
      y = scaled(y);
    }
    expect("out", b, row, d, c.has("residual") ? y.plus(given("residual", b, row, d)) : y);
  }

  private Measured scaled(Measured y) {
    return threshold > 0 ? y.times(scale) : y;
  }

  private void backward(int b, int row, int d, boolean kept) {
    Measured dout = given("dout", b, row, d);
    expect("dresidual", b, row, d, dout);
    Measured g = scaled(dout);
    Measured none = Measured.exact(0);
    if (c.has("dgate")) {
      Measured f = Functions.value(c.function(), z(b, row, d));
      expect("dgate", b, row, d, kept ? g.times(f) : none);
    }
    if (c.needsSlope()) {
      boolean reads = c.reads("x");
      Measured slope = Functions.slope(c.function(), reads ? z(b, row, d) : none);
      Measured gated = c.has("gate") ? g.times(given("gate", b, row, d)) : g;
      Measured dx = kept ? gated.times(slope) : none;
      expect("dx", b, row, d, dx);
      sums.add(d, dx);
    }
  }

  /** Over all rows, one for each column. */
  private final class Sums {
    private final double[] value;
    private final double[] sizes;
    private final double[] errors;

    Sums(int columns) {
      value = new double[columns];
      sizes = new double[columns];
      errors = new double[columns];
    }

    void add(int d, Measured term) {
      value[d] += term.value();
      sizes[d] += Math.abs(term.value());
      errors[d] += term.error();
    }

    void expect(Expected dbias) {
      float[] before = c.gradients().accumulate() ? data.get("dbias") : null;
      double n = s.rows();
      double relative = c.content() == Content.CONSTANT ? 2 + n : 2 * (1 + Math.sqrt(n));
      for (int d = 0; d < value.length; d++) {
        int at = (int) c.layout("dbias").offset() + d;
        double exact = value[d] + (before == null ? 0 : before[at]);
        if (Double.isInfinite(errors[d])) {
          dbias.free(at, exact);
          continue;
        }
        if (n == 0 || !Double.isFinite(exact)) {
          dbias.expect(at, exact, 0);
          continue;
        }
        double error = errors[d] + relative * Sigmoid.UNIT * sizes[d];
        double added = before == null ? 0 : Sigmoid.UNIT * Math.abs(exact);
        dbias.expectRounded(at, exact, error + added);
      }
    }
  }
}
