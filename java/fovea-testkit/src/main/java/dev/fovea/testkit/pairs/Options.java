package dev.fovea.testkit.pairs;

import dev.fovea.DType;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.Visibility;

/**
 * What one case computes.
 *
 * @param dtype of query, key and value
 * @param outDType of out
 * @param visibility which keys a query sees
 * @param ridge of a linear fit, of distance attention; null for a constant one
 * @param dropout probability of dropping
 * @param seed key of the dropout's random numbers
 * @param offset last word of their counter
 */
public record Options(
    DType dtype,
    DType outDType,
    Visibility visibility,
    Float ridge,
    float dropout,
    long seed,
    int offset) {

  /** What kept weights are multiplied by; 0 if the probability is so near 1 that none is kept. */
  double dropFactor() {
    int threshold = Philox.threshold(dropout);
    return threshold == 65536 ? 0 : 65536.0 / (65536 - threshold);
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(dtype.name());
    if (outDType != dtype) {
      text.append("->").append(outDType);
    }
    text.append(visibility.causal() ? " causal" : "");
    text.append(visibility.topLeft() ? " top-left" : "");
    if (visibility.windowLeft() >= 0 || visibility.windowRight() >= 0) {
      text.append(" window=(").append(visibility.windowLeft()).append(',');
      text.append(visibility.windowRight()).append(')');
    }
    if (ridge != null) {
      text.append(" ridge=").append(ridge);
    }
    if (dropout > 0) {
      text.append(" dropout=").append(dropout).append('/').append(seed).append('/').append(offset);
    }
    return text.toString();
  }
}
