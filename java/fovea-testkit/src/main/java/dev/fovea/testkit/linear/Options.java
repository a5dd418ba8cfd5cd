package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;

/**
 * What one case computes.
 *
 * @param dtype of query, key and value
 * @param outDType of out
 * @param causal a query reads the state at its position
 * @param normalised out is divided by its sum of weights
 * @param featureMap of queries and keys
 * @param scale of out; null: 1
 */
public record Options(
    DType dtype,
    DType outDType,
    boolean causal,
    boolean normalised,
    FeatureMap featureMap,
    Float scale) {

  /** What out is multiplied by. */
  double factor() {
    return scale == null ? 1 : scale;
  }

  @Override
  public String toString() {
    String out = outDType == dtype ? "" : "->" + outDType;
    return "%s%s%s%s %s%s"
        .formatted(
            dtype,
            out,
            causal ? " causal" : "",
            normalised ? " normalised" : "",
            featureMap,
            scale == null ? "" : " scale=" + scale);
  }
}
