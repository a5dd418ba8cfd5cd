package dev.fovea.nn;

import dev.fovea.Tensor;
import java.util.Arrays;

/**
 * A tensor that training changes: a weight of a {@link Module}. It has a shape and a way to begin
 * from the start, and memory once it is part of {@link Parameters}.
 *
 * <p>The value is float32. A model that computes in another type reads a copy of the value in that
 * type, which follows every change that an optimiser makes. The gradient is float32 too, and what
 * backward passes add up in until {@link Parameters#zeroGradients}.
 */
public final class Parameter {
  private final long[] shape;
  private final Initializer initializer;
  private String name; // null: not part of Parameters yet
  private Tensor value;
  private Tensor computed;
  private Tensor gradient;

  Parameter(Initializer initializer, long... shape) {
    this.initializer = initializer;
    this.shape = shape.clone();
  }

  /** The path of modules to it, with dots: {@code "layers.0.attention.query.weight"}. */
  public String name() {
    return name;
  }

  /** Its sizes. */
  public long[] shape() {
    return shape.clone();
  }

  /** Number of elements. */
  public long elements() {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  /** True for a matrix or more: what weight decay is for. Biases and gains have one dimension. */
  public boolean isDecayed() {
    return shape.length > 1;
  }

  /**
   * The value, float32. Who writes to it calls {@link Parameters#changed} then.
   *
   * @throws IllegalStateException if it has no memory yet
   */
  public Tensor value() {
    requireMemory();
    return value;
  }

  /**
   * What models compute with: the value, or a copy in their type.
   *
   * @throws IllegalStateException if it has no memory yet
   */
  public Tensor computed() {
    requireMemory();
    return computed;
  }

  /**
   * The sum of the gradients since the last {@link Parameters#zeroGradients}, float32.
   *
   * @throws IllegalStateException if it has no memory yet, or is of {@link Parameters#forInference}
   */
  public Tensor gradient() {
    requireMemory();
    if (gradient == null) {
      throw new IllegalStateException(this + " is for inference: it has no gradient");
    }
    return gradient;
  }

  Initializer initializer() {
    return initializer;
  }

  boolean hasMemory() {
    return value != null;
  }

  void place(String name, Tensor value, Tensor computed, Tensor gradient) {
    this.name = name;
    this.value = value;
    this.computed = computed;
    this.gradient = gradient;
  }

  void forget() {
    place(null, null, null, null);
  }

  private void requireMemory() {
    if (value == null) {
      throw new IllegalStateException(
          "a parameter of shape %s has no memory yet: Parameters.of(module, ...) gives all some"
              .formatted(Arrays.toString(shape)));
    }
  }

  @Override
  public String toString() {
    return (name == null ? "parameter " : name + " ") + Arrays.toString(shape);
  }
}
