package dev.fovea.testkit.embedding;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Rounding;
import java.util.HashMap;
import java.util.Map;

/**
 * Naive embedding lookup, and its gradients, in float64 over the exact values of the operands, by
 * the formulas of fovea.h, with the error that a right kernel may make. Nothing here is tiled or
 * shared with any backend.
 *
 * <p>Bounds, with u = 2^-24:
 *
 * <ul>
 *   <li>scale * t + p rounds its product, by u |scale t| at most, and its sum, which in float32 is
 *       the rounding of the result and else by u of what it is; what is not a normal float32 may be
 *       flushed. A fused multiply-add errs by less. Without scale and positions the result is the
 *       element, rounded to its type alone, to nearest even.
 *   <li>A sum of n elements is taken in their order, so that all its parts S_k are known: it errs
 *       by e_n, where e_1 = 0 and e_k = e_(k-1) + u (|S_k| + e_(k-1)). Then come a product with
 *       scale and, where it is added to what is there, a sum.
 * </ul>
 *
 * <p>Infinities and NaN follow IEEE 754.
 */
public final class Oracle {

  private static final double UNIT = 0x1p-24;
  private static final double FLUSHED = 4 * 0x1p-126;

  private final EmbeddingCase c;
  private final EmbeddingSizes s;
  private final Operands data;
  private final double scale;

  private Oracle(EmbeddingCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
    scale = c.scale() == null ? 1 : c.scale();
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(EmbeddingCase c, Operands data) {
    Oracle oracle = new Oracle(c, data);
    Map<String, Expected> outputs = new HashMap<>();
    if (!c.isBackward()) {
      outputs.put("out", oracle.out());
    }
    if (c.has("dtable")) {
      outputs.put("dtable", oracle.gradient("dtable", c.sizes().vocabulary()));
    }
    if (c.has("dpositions")) {
      outputs.put("dpositions", oracle.gradient("dpositions", c.sizes().positionCount()));
    }
    return outputs;
  }

  private Expected out() {
    Expected out = new Expected(c.outDType(), c.layout("out").elements());
    for (int b = 0; b < s.batch(); b++) {
      for (int row = 0; row < s.length(); row++) {
        int to = c.tokenAt("out", b, row);
        int from = c.rowAt("table", data.id(c, b, row));
        int added = c.has("positions") ? c.rowAt("positions", data.position(c, b, row)) : -1;
        for (int i = 0; i < s.width(); i++) {
          float element = data.get("table")[from + i];
          if (c.scale() == null && added < 0) {
            out.expect(to + i, Rounding.round(c.outDType(), element), 0);
          } else {
            expect(out, to + i, element, added < 0 ? 0 : data.get("positions")[added + i]);
          }
        }
      }
    }
    return out;
  }

  private void expect(Expected out, int at, double element, double added) {
    double product = scale * element;
    double exact = product + added;
    if (!Double.isFinite(exact)) {
      out.expect(at, exact, 0);
      return;
    }
    double ofProduct = UNIT * Math.abs(product);
    double ofSum = out.dtype() == DType.FLOAT32 ? 0 : UNIT * (Math.abs(exact) + ofProduct);
    out.expectRounded(at, exact, ofProduct + ofSum + FLUSHED);
  }

  /** A sum in the order of its elements. */
  private static final class Sum {
    double value;
    double error;
    int count;

    void add(double element) {
      value += element;
      error += count++ == 0 ? 0 : UNIT * (Math.abs(value) + error);
    }
  }

  private Expected gradient(String name, int rows) {
    Expected expected = new Expected(DType.FLOAT32, c.layout(name).elements());
    boolean ofTable = name.equals("dtable");
    Sum[][] sums = new Sum[rows][];
    for (int b = 0; b < s.batch(); b++) {
      for (int row = 0; row < s.length(); row++) {
        int index = ofTable ? data.id(c, b, row) : data.position(c, b, row);
        if (ofTable && index == c.padding()) {
          continue;
        }
        if (sums[index] == null) {
          sums[index] = new Sum[s.width()];
        }
        int from = c.tokenAt("dout", b, row);
        for (int i = 0; i < s.width(); i++) {
          if (sums[index][i] == null) {
            sums[index][i] = new Sum();
          }
          sums[index][i].add(data.get("dout")[from + i]);
        }
      }
    }
    float[] before = c.gradients().accumulate() ? data.get(name) : null;
    for (int row = 0; row < rows; row++) {
      int at = c.rowAt(name, row);
      for (int i = 0; i < s.width(); i++) {
        if (sums[row] != null) {
          expect(expected, at + i, sums[row][i], ofTable ? scale : 1, before);
        } else if (before == null) {
          expected.expect(at + i, 0, 0);
        }
      }
    }
    return expected;
  }

  private static void expect(Expected out, int at, Sum sum, double factor, float[] before) {
    double product = factor * sum.value;
    double exact = before == null ? product : before[at] + product;
    if (!Double.isFinite(exact)) {
      out.expect(at, exact, 0);
      return;
    }
    double error =
        Math.abs(factor) * sum.error + UNIT * (Math.abs(product) + Math.abs(factor) * sum.error);
    out.expectRounded(at, exact, error + FLUSHED);
  }
}
