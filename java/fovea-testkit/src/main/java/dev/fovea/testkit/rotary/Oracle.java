package dev.fovea.testkit.rotary;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Rounding;
import java.util.Map;

/**
 * Naive rotary position embedding, and its gradient, in float64 over the exact values of the
 * operands, by the formulas of fovea.h, with the error that a right kernel may make. Nothing here
 * is tiled or shared with any backend.
 *
 * <p>Bounds, with u = 2^-24, of p - q for products p and q of two float32 numbers each. Both round
 * once, to p (1 + d) and q (1 + e) with |d|, |e| at most u, and so does their sum: in all
 *
 * <pre>
 *   |p d - q e| (1 + u) + u |p - q|, at most (2 + u) u (|p| + |q|)
 * </pre>
 *
 * <p>A fused multiply-add leaves one of the products exact, and errs by less. In float32 the
 * rounding of the sum is that of the result, which {@link Expected#expectRounded} allows, so that u
 * (|p| + |q|) are left. What is not a normal float32 may be flushed: two factors of numbers that
 * are not much above 1, two products and a sum.
 *
 * <p>What is copied rounds to the type of the result alone, to nearest even, and is bit for bit
 * that. Infinities and NaN follow IEEE 754: 0 times an infinity is a NaN.
 */
public final class Oracle {

  private static final double UNIT = 0x1p-24;
  private static final double FLUSHED = 6 * 0x1p-126;

  private final RotaryCase c;
  private final Operands data;
  private final Expected result;
  private final double units;

  private Oracle(RotaryCase c, Operands data, Expected result) {
    this.c = c;
    this.data = data;
    this.result = result;
    units = result.dtype() == DType.FLOAT32 ? UNIT : (2 + UNIT) * UNIT;
  }

  /** What must stand in the output of a case, by its name. */
  public static Map<String, Expected> run(RotaryCase c, Operands data) {
    String name = c.isBackward() ? "dx" : "out";
    DType type = c.isBackward() ? c.gradients().dtype() : c.outDType();
    Expected result = new Expected(type, c.layout(name).elements());
    new Oracle(c, data, result).run(name);
    return Map.of(name, result);
  }

  private void run(String name) {
    RotarySizes s = c.sizes();
    for (int b = 0; b < s.batch(); b++) {
      for (int row = 0; row < s.length(); row++) {
        int position = data.position(c, b, row);
        int cosines = c.tableAt("cosines", b, position);
        int sines = c.tableAt("sines", b, position);
        for (int h = 0; h < s.heads(); h++) {
          int from = c.layout(c.source()).at(b, row, h);
          int to = c.layout(name).at(b, row, h);
          for (int pair = 0; pair < s.pairs(); pair++) {
            turn(
                data.get("cosines")[cosines + pair],
                data.get("sines")[sines + pair],
                pair,
                from,
                to);
          }
          copy(from, to);
        }
      }
    }
  }

  /** A backward pass turns back: by the sine of the opposite angle. */
  private void turn(double cosine, double sine, int pair, int from, int to) {
    double way = c.isBackward() ? -sine : sine;
    double a = data.get(c.source())[from + c.first(pair)];
    double b = data.get(c.source())[from + c.second(pair)];
    expect(to + c.first(pair), cosine * a, -way * b);
    expect(to + c.second(pair), cosine * b, way * a);
  }

  private void expect(int at, double p, double q) {
    double exact = p + q;
    if (Double.isFinite(exact)) {
      result.expectRounded(at, exact, units * (Math.abs(p) + Math.abs(q)) + FLUSHED);
    } else {
      result.expect(at, exact, 0);
    }
  }

  private void copy(int from, int to) {
    for (int i = 2 * c.sizes().pairs(); i < c.sizes().headDim(); i++) {
      float copied = data.get(c.source())[from + i];
      result.expect(to + i, Rounding.round(result.dtype(), copied), 0);
    }
  }
}
