package dev.fovea;

import java.util.Objects;

/**
 * Cosines and sines of the angles that rows are turned by: of position t and pair c the angle t
 * base^(-c / C), or t times what {@link RotaryFrequencies} has for the pair.
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
    return of(scope, positions, RotaryFrequencies.of(rotaryDim, base));
  }

  /**
   * The same of frequencies that a model has scaled.
   *
   * @param positions rows, from position 0 on
   * @throws IllegalArgumentException if that is less than 0
   */
  public static RotaryTables of(Scope scope, long positions, RotaryFrequencies frequencies) {
    if (positions < 0) {
      throw new IllegalArgumentException("positions is " + positions + ", expected 0 or more");
    }
    int pairs = frequencies.pairs();
    int elements = Math.toIntExact(Math.multiplyExact(positions, pairs));
    float[] cosines = new float[elements];
    float[] sines = new float[elements];
    double scale = frequencies.attentionFactor();
    for (int c = 0; c < pairs; c++) {
      double frequency = frequencies.frequency(c);
      for (int t = 0; t < positions; t++) {
        cosines[t * pairs + c] = (float) (scale * Math.cos(t * frequency));
        sines[t * pairs + c] = (float) (scale * Math.sin(t * frequency));
      }
    }
    return new RotaryTables(
        scope.copyOf(cosines, positions, pairs), scope.copyOf(sines, positions, pairs));
  }
}
