package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.function.DoubleUnaryOperator;

/** What checks of gradients against directional derivatives of a loss share. */
public final class Directional {

  private Directional() {}

  /** 1 or -1 for each number; padding, gaps and masked entries stay. */
  public static float[] direction(float[] operand, long seed) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] way = new float[operand.length];
    for (int i = 0; i < way.length; i++) {
      way[i] = Float.isFinite(operand[i]) ? random.pick(-1, 1) : 0;
    }
    return way;
  }

  /** An operand moved by so much of a direction. */
  public static float[] moved(float[] operand, float[] way, double factor) {
    float[] moved = operand.clone();
    for (int i = 0; i < moved.length; i++) {
      moved[i] += (float) (factor * way[i]);
    }
    return moved;
  }

  /** sum dout * out. */
  public static double loss(Geometry g, float[] dout, Layout doutLayout, Expected out, Layout of) {
    int[] cuQ = g.cuQ();
    double loss = 0;
    for (int b = 0; b < g.batch(); b++) {
      for (int h = 0; h < g.queryHeads(); h++) {
        for (int i = 0; i < g.lenQ(b); i++) {
          int from = g.rowIndex(doutLayout, cuQ, b, i, h);
          int at = g.rowIndex(of, cuQ, b, i, h);
          for (int d = 0; d < g.valueHeadDim(); d++) {
            loss += dout[from + d] * out.value(at + d);
          }
        }
      }
    }
    return loss;
  }

  /** Of the loss by the factor of a direction, at 0: central differences, extrapolated. */
  public static double derivative(double step, DoubleUnaryOperator loss) {
    double[] slopes = new double[2];
    for (int n = 0; n < 2; n++) {
      double h = step * (n + 1);
      slopes[n] = (loss.applyAsDouble(h) - loss.applyAsDouble(-h)) / (2 * h);
    }
    return (4 * slopes[0] - slopes[1]) / 3;
  }

  /**
   * A gradient along a direction.
   *
   * @param sum of the products of both
   * @param size the sum of sizes of the products
   * @param allowed that of the gradient's bounds
   */
  public record Along(double sum, double size, double allowed) {}

  /** The gradient, less what was there {@code before} if that is not null, along a direction. */
  public static Along along(
      Expected gradient, Layout of, float[] before, float[] way, Layout operand) {
    double sum = 0;
    double size = 0;
    double allowed = 0;
    long[] n = of.size();
    for (int a = 0; a < n[0]; a++) {
      for (int b = 0; b < n[1]; b++) {
        for (int i = 0; i < n[2]; i++) {
          for (int d = 0; d < n[3]; d++) {
            int at = of.at(a, b, i) + d;
            assertEquals(Expected.COMPARE, gradient.state(at));
            double exact = gradient.value(at) - (before == null ? 0 : before[at]);
            float by = way[operand.at(a, b, i) + d];
            sum += exact * by;
            size += Math.abs(exact * by);
            allowed += gradient.allowed(at) * Math.abs(by);
          }
        }
      }
    }
    return new Along(sum, size, allowed);
  }
}
