package dev.fovea.testkit.crossentropy;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import java.util.HashMap;
import java.util.Map;

/**
 * Naive cross-entropy, and its gradient, in float64 over the exact values of the operands, by the
 * formulas of fovea.h, with the error that a right kernel may make. Nothing here is tiled or shared
 * with any backend.
 *
 * <p>Bounds, with u = 2^-24 and L for the error of {@link LogSum}:
 *
 * <ul>
 *   <li>out is the sum of (1 - e) w_y (lse - x_y), whose factor rounds twice, and of e / V (W lse -
 *       sum_v w_v x_v), with W the sum of all weights, rounded once, and sums of float32 products
 *       that go through as many additions as {@link LogSum} says.
 *   <li>A gradient takes lse as it is given. p_v = exp(x_v - lse) errs by 2^-22 and 2 u |x_v - lse|
 *       relatively, and may be flushed where it is no normal number; what it is multiplied by is
 *       rounded six times, that of a class three and that of the target three times. Then come a
 *       product or two, and up to two additions.
 * </ul>
 *
 * <p>Infinities and NaN follow IEEE 754, but that a factor of 0 makes 0 of anything in out.
 */
public final class Oracle {

  private static final double UNIT = 0x1p-24;
  private static final double POWER = 0x1p-22;
  private static final double FLUSHED = 0x1p-126;

  private final CrossEntropyCase c;
  private final CrossEntropySizes s;
  private final Operands data;
  private final double share; // of each class
  private final double weights; // of all classes

  private Oracle(CrossEntropyCase c, Operands data) {
    this.c = c;
    this.data = data;
    s = c.sizes();
    share = (double) c.smoothing() / s.classes();
    double sum = 0;
    for (int v = 0; v < s.classes(); v++) {
      sum += data.weight(c, v);
    }
    weights = c.smoothing() == 0 ? 0 : sum;
  }

  /** What must stand in the outputs of a case, by name. */
  public static Map<String, Expected> run(CrossEntropyCase c, Operands data) {
    Oracle oracle = new Oracle(c, data);
    Map<String, Expected> outputs = new HashMap<>();
    if (c.isBackward()) {
      outputs.put("dlogits", new Expected(c.gradients().dtype(), c.layout("dlogits").elements()));
    } else {
      outputs.put("out", new Expected(DType.FLOAT32, c.layout("out").elements()));
      if (c.has("lse")) {
        outputs.put("lse", new Expected(DType.FLOAT32, c.layout("lse").elements()));
      }
    }
    for (int b = 0; b < c.sizes().batch(); b++) {
      for (int row = 0; row < c.sizes().length(); row++) {
        if (c.isBackward()) {
          oracle.gradient(outputs.get("dlogits"), b, row);
        } else {
          oracle.loss(outputs.get("out"), outputs.get("lse"), b, row);
        }
      }
    }
    return outputs;
  }

  /** The share of the target. */
  private double own(int target) {
    return (1 - (double) c.smoothing()) * data.weight(c, target);
  }

  private static void expect(Expected to, int at, double exact, double error) {
    if (Double.isNaN(exact) || Double.isInfinite(exact)) {
      to.expect(at, exact, 0);
    } else {
      to.expectRounded(at, exact, error);
    }
  }

  private void loss(Expected out, Expected lse, int b, int row) {
    int at = c.at("out", b, row);
    int target = data.target(c, b, row);
    if (target < 0) {
      out.expect(at, 0, 0);
      if (lse != null) {
        lse.expect(c.at("lse", b, row), 0, 0);
      }
      return;
    }
    LogSum sum = new LogSum(c, data, b, row);
    if (lse != null) {
      expect(lse, c.at("lse", b, row), sum.lse(), sum.error());
    }
    float[] logits = data.get("logits");
    int from = c.rowAt("logits", b, row);
    double own = own(target);
    double loss = 0;
    double error = 0;
    if (own != 0) {
      double distance = sum.lse() - logits[from + target];
      loss = own * distance;
      error = own * (sum.error() + 2 * UNIT * Math.abs(distance));
    }
    if (c.smoothing() > 0) {
      double smooth = 0;
      double sizes = 0;
      for (int v = 0; v < s.classes(); v++) {
        double weight = data.weight(c, v);
        smooth += weight == 0 ? 0 : weight * (sum.lse() - logits[from + v]);
        sizes += weight == 0 ? 0 : weight * Math.abs(logits[from + v]);
      }
      loss += share * smooth;
      double additions = 50 + s.classes() / 256.0;
      error +=
          share * (weights * (sum.error() + UNIT * Math.abs(sum.lse())) + additions * UNIT * sizes);
    }
    expect(out, at, loss, error);
  }

  private void gradient(Expected dlogits, int b, int row) {
    int to = c.rowAt("dlogits", b, row);
    int target = data.target(c, b, row);
    if (target < 0) {
      for (int v = 0; v < s.classes(); v++) {
        dlogits.expect(to + v, 0, 0);
      }
      return;
    }
    float[] logits = data.get("logits");
    int from = c.rowAt("logits", b, row);
    double lse = data.get("lse")[c.at("lse", b, row)];
    double dout = data.get("dout")[c.at("dout", b, row)];
    double own = own(target);
    double ofPower = dout * (own + share * weights);
    for (int v = 0; v < s.classes(); v++) {
      double distance = logits[from + v] - lse;
      double power = Math.exp(distance);
      double ofClass = share == 0 ? 0 : dout * share * data.weight(c, v);
      double ofTarget = v == target ? dout * own : 0;
      double exact = ofPower * power - ofClass - ofTarget;
      double sizes = Math.abs(ofPower * power) + Math.abs(ofClass) + Math.abs(ofTarget);
      double relative = POWER + 7 * UNIT + (power == 0 ? 0 : 2 * UNIT * Math.abs(distance));
      double error =
          Math.abs(ofPower) * (power * relative + FLUSHED)
              + UNIT * (5 * Math.abs(ofClass) + 4 * Math.abs(ofTarget) + 2 * sizes)
              + FLUSHED;
      expect(dlogits, to + v, exact, error);
    }
  }
}
