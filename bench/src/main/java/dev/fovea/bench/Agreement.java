package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Rounding;

/**
 * Compares our whole output with the peer's. Neither is exact, and the peer rounds the weights of
 * 16-bit types, so this is looser than {@link OracleRows}; but it sees every element.
 */
final class Agreement {

  private Agreement() {}

  /**
   * Compares {@code theirs} with what {@code attention} wrote.
   *
   * @param theirs [B, S, H, D]
   * @return the root mean square of the difference, relative to that of the values
   */
  static double check(FoveaAttention attention, float[] theirs) {
    float[] ours = attention.out().toFloatArray();
    DType dtype = attention.problem().dtype();
    double squares = 0;
    double differences = 0;
    double largest = 0;
    for (int i = 0; i < ours.length; i++) {
      double difference = Math.abs(ours[i] - theirs[i]);
      squares += (double) ours[i] * ours[i];
      differences += difference * difference;
      largest = difference <= largest ? largest : difference; // a NaN counts
    }
    double relative = Math.sqrt(differences / squares);
    if (!(largest <= largestAllowed(dtype) && relative <= relativeAllowed(dtype))) {
      throw new WrongOutputException(
          "%s: libtorch differs by %.3g, root mean square %.3g of the values; allowed %.3g and %.3g"
              .formatted(
                  attention.problem(),
                  largest,
                  relative,
                  largestAllowed(dtype),
                  relativeAllowed(dtype)));
    }
    return relative;
  }

  /** Two roundings of values up to 4, the largest that a mean of N(0,1) is. */
  private static double largestAllowed(DType dtype) {
    return dtype == DType.FLOAT32 ? 1e-5 : 2 * 4 * unit(dtype);
  }

  /** Of rounding weights and output, at random signs about half a unit each. */
  private static double relativeAllowed(DType dtype) {
    return dtype == DType.FLOAT32 ? 1e-5 : 2 * unit(dtype);
  }

  private static double unit(DType dtype) {
    return Rounding.unit(dtype);
  }
}
