package dev.fovea.nn;

import dev.fovea.Activation;
import java.util.Objects;

/**
 * The position-wise feed-forward layer: up to {@code hidden} elements, a function of each, and down
 * again (Vaswani et al., Attention is all you need, 2017, arXiv 1706.03762, section 3.3), or with a
 * gate: {@code down(f(a) b)} (Shazeer, GLU variants improve transformer, arXiv 2002.05202).
 */
public final class FeedForward extends Module {
  private final int hidden;
  private final boolean isGated;
  private final Activation activation;
  private final Linear up; // gated: to a and b side by side
  private final Linear down;

  private FeedForward(int width, int hidden, Activation activation, boolean gated, boolean bias) {
    this.hidden = hidden;
    this.isGated = gated;
    this.activation = Objects.requireNonNull(activation, "activation");
    up = child("up", new Linear(width, gated ? Math.multiplyExact(2, hidden) : hidden, bias));
    down = child("down", new Linear(hidden, width, bias));
  }

  /**
   * Without a gate, with biases.
   *
   * @param activation the function, with dropout behind it perhaps
   */
  public static FeedForward of(int width, int hidden, Activation activation) {
    return of(width, hidden, activation, true);
  }

  /** Without a gate, with biases or without. */
  public static FeedForward of(int width, int hidden, Activation activation, boolean hasBias) {
    return new FeedForward(width, hidden, activation, false, hasBias);
  }

  /**
   * With a gate, without biases: SwiGLU if {@code activation} is {@link Activation#silu}.
   *
   * @param activation the function, with dropout behind the gate perhaps
   */
  public static FeedForward gated(int width, int hidden, Activation activation) {
    return new FeedForward(width, hidden, activation, true, false);
  }

  /** From [..., width] to the same. */
  public Variable forward(Variable x) {
    return down.forward(inner(x));
  }

  /** Added to {@code residual}, what {@code dropout} leaves of it. */
  Variable addTo(Variable residual, Variable x, Activation dropout) {
    return down.addTo(residual, inner(x), dropout);
  }

  private Variable inner(Variable x) {
    Activation function = isTraining() ? activation : activation.eval();
    if (!isGated) {
      return up.forward(x, function);
    }
    Variable[] parts = up.forward(x).split(x.shape().length - 1, hidden, hidden);
    return Functions.activation(function, parts[0], Operands.of("gate", parts[1]));
  }
}
