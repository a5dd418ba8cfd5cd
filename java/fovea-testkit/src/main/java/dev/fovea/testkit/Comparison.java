package dev.fovea.testkit;

import dev.fovea.DType;
import java.lang.foreign.MemorySegment;

/** Compares output memory with what the oracle expects of it, bit patterns of the rest included. */
public final class Comparison {

  private Comparison() {}

  /**
   * Compares one output.
   *
   * @param name of the output, for the text
   * @param memory the whole buffer
   * @return null if all is right, else what is wrong
   */
  public static String compare(String name, MemorySegment memory, Expected expected) {
    DType type = expected.dtype();
    int canary = Rounding.canary(type);
    int[] all = Rounding.bits(memory, type, expected.elements());
    double squares = 0;
    long finite = 0;
    long wrong = 0;
    int worst = -1;
    double worstRatio = 0;
    for (int i = 0; i < expected.elements(); i++) {
      int bits = all[i];
      byte state = expected.state(i);
      if (state == Expected.FREE) {
        continue;
      }
      if (state != Expected.COMPARE) {
        if (bits != canary) {
          return "%s: element %d of the buffer, which is not to be written, became %s (bits %x)"
              .formatted(name, i, Rounding.value(type, bits), bits);
        }
        continue;
      }
      double exact = expected.value(i);
      double got = Rounding.value(type, bits);
      // A byte may be any of all that there are.
      boolean unwritten = bits == canary && Rounding.bytes(type) > 1;
      double ratio = unwritten ? Double.POSITIVE_INFINITY : ratio(got, exact, expected.allowed(i));
      if (!(ratio <= 1)) {
        wrong++;
      }
      if (ratio > worstRatio) {
        worstRatio = ratio;
        worst = i;
      }
      if (Double.isFinite(exact) && Double.isFinite(got)) {
        squares += (got - exact) * (got - exact);
        finite++;
      }
    }
    if (wrong > 0) {
      int bits = all[worst];
      return "%s: %d of %d elements wrong; worst is [%d] = %s%s, exact %s, off by %.3g, allowed %.3g"
          .formatted(
              name,
              wrong,
              expected.elements(),
              worst,
              Rounding.value(type, bits),
              bits == canary ? " (never written)" : "",
              expected.value(worst),
              Math.abs(Rounding.value(type, bits) - expected.value(worst)),
              expected.allowed(worst));
    }
    double rmse = Math.sqrt(squares / Math.max(1, finite));
    if (rmse > expected.allowedRmse()) {
      return "%s: root mean square error %.4g over %d elements, allowed %.4g"
          .formatted(name, rmse, finite, expected.allowedRmse());
    }
    return null;
  }

  /** The error in units of what is allowed; infinite where NaN or an infinity is out of place. */
  private static double ratio(double got, double exact, double allowed) {
    if (Double.isNaN(exact) || Double.isNaN(got)) {
      return Double.isNaN(exact) && Double.isNaN(got) ? 0 : Double.POSITIVE_INFINITY;
    }
    if (got == exact) {
      return 0;
    }
    if (Double.isInfinite(exact) || Double.isInfinite(got)) {
      return Double.POSITIVE_INFINITY;
    }
    return allowed == 0 ? Double.POSITIVE_INFINITY : Math.abs(got - exact) / allowed;
  }

  /** The largest error in units of what is allowed, for figures: how much room a backend leaves. */
  public static double worstRatio(MemorySegment memory, Expected expected) {
    double worst = 0;
    float[] got = Rounding.read(memory, expected.dtype(), expected.elements());
    for (int i = 0; i < got.length; i++) {
      if (expected.state(i) == Expected.COMPARE) {
        worst = Math.max(worst, ratio(got[i], expected.value(i), expected.allowed(i)));
      }
    }
    return worst;
  }
}
