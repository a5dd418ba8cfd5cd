package dev.fovea.nn;

import dev.fovea.Normalization;
import java.util.Objects;

/**
 * Normalization of rows, with parameters {@code weight} [D] and, of layer normalization, {@code
 * bias} [D] (Ba, Kiros and Hinton, Layer normalization, arXiv 1607.06450; Zhang and Sennrich, Root
 * mean square layer normalization, arXiv 1910.07467).
 */
public final class Norm extends Module {
  /** What is added to the mean of squares, as PyTorch's LayerNorm does. */
  public static final double EPSILON = 1e-5;

  private final Normalization normalization;
  private final Parameter weight;
  private final Parameter bias; // null: none

  /** Of rows of {@code width} elements, with a bias or without. */
  public Norm(Normalization normalization, int width, boolean hasBias) {
    this.normalization = Objects.requireNonNull(normalization, "normalization");
    weight = parameter("weight", Initializer.constant(1), width);
    bias = hasBias ? parameter("bias", Initializer.constant(0), width) : null;
  }

  /** Layer normalization, with a bias. */
  public static Norm layer(int width) {
    return new Norm(Normalization.layer(EPSILON), width, true);
  }

  /** Normalization by the root mean square, without a bias. */
  public static Norm rms(int width) {
    return new Norm(Normalization.rms(EPSILON), width, false);
  }

  /** From [..., D] to the same. */
  public Variable forward(Variable x) {
    return Functions.normalize(normalization, x, weight, bias);
  }
}
