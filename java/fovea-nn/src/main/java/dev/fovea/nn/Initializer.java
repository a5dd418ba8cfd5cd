package dev.fovea.nn;

import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * The first values of a parameter. Which these are follows from a seed and the parameter's name,
 * not from what else a model has or in which order it is made.
 */
@FunctionalInterface
public interface Initializer {
  /** Sets {@code values}, in row-major order of {@code shape}. */
  void set(float[] values, long[] shape, RandomGenerator random);

  /** All the same. */
  static Initializer constant(float value) {
    return (values, shape, random) -> Arrays.fill(values, value);
  }

  /** Normally distributed around 0. */
  static Initializer normal(double deviation) {
    return (values, shape, random) -> {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian(0, deviation);
      }
    };
  }

  /** Evenly distributed from {@code -bound} to {@code bound}. */
  static Initializer uniform(double bound) {
    return (values, shape, random) -> {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (bound * (2 * random.nextDouble() - 1));
      }
    };
  }

  /**
   * Of a matrix [out, in]: evenly distributed with the variance 2 / (in + out) that keeps the scale
   * of values and gradients alike (Glorot and Bengio, Understanding the difficulty of training deep
   * feedforward neural networks, 2010).
   */
  static Initializer xavierUniform() {
    return (values, shape, random) ->
        uniform(Math.sqrt(6.0 / (inputs(shape) + shape[0]))).set(values, shape, random);
  }

  /**
   * Of a matrix [out, in]: evenly distributed from -1/sqrt(in) to 1/sqrt(in), as PyTorch's layers
   * begin (LeCun et al., Efficient backprop, 1998).
   */
  static Initializer lecunUniform() {
    return (values, shape, random) ->
        uniform(1 / Math.sqrt(inputs(shape))).set(values, shape, random);
  }

  private static long inputs(long[] shape) {
    return Arrays.stream(shape, 1, shape.length).reduce(1, Math::multiplyExact);
  }
}
