package dev.fovea;

import java.util.Objects;

/**
 * Cosines and sines of the angles that rows are turned by: of position t and pair c the angle t
 * base^(-c / C).
 *
 * <p>Source: Su et al., RoFormer, 2021, arXiv 2104.09864, equation 15.
 *
 * @param cosines [positions, C] {@link DType#FLOAT32}
 * @param sines likewise
 */
public record RotaryTables(Tensor cosines, Tensor sines) {

  /** What RoFormer and most models after it have for a base. */
  public static final double BASE = 10_000;

  /** The two tables, as they are: other angles than {@link #of} has are the caller's. */
  public RotaryTables {
    Objects.requireNonNull(cosines, "cosines");
    Objects.requireNonNull(sines, "sines");
  }

  /**
   * Makes tables in {@code scope}. Angles are float64, and their cosines and sines rounded once.
   *
   * @param positions rows, from position 0 on
   * @param rotaryDim elements of a row that are turned, 2 C: an even number
   * @param base more than 0; {@link #BASE} in most models
   * @throws IllegalArgumentException if a number is not one of these
   */
  public static RotaryTables of(Scope scope, long positions, int rotaryDim, double base) {
    if (positions < 0 || rotaryDim < 2 || rotaryDim % 2 != 0) {
      throw new IllegalArgumentException(
          "positions %d, rotaryDim %d: expected 0 or more, and an even number from 2 on"
              .formatted(positions, rotaryDim));
    }
    if (!(base > 0) || Double.isInfinite(base)) {
      throw new IllegalArgumentException("base is " + base + ", expected a number above 0");
    }
    int pairs = rotaryDim / 2;
    int elements = Math.toIntExact(Math.multiplyExact(positions, pairs));
    float[] cosines = new float[elements];
    float[] sines = new float[elements];
    for (int c = 0; c < pairs; c++) {
      double frequency = Math.pow(base, -(double) c / pairs);
      for (int t = 0; t < positions; t++) {
        cosines[t * pairs + c] = (float) Math.cos(t * frequency);
        sines[t * pairs + c] = (float) Math.sin(t * frequency);
      }
    }
    return new RotaryTables(
        scope.copyOf(cosines, positions, pairs), scope.copyOf(sines, positions, pairs));
  }
}
