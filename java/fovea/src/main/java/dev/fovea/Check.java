package dev.fovea;

import java.util.Arrays;
import java.util.function.IntPredicate;

/** Checks of operands whose messages name the operand, what it is, and what was expected. */
final class Check {
  /** A size that any value fits. */
  static final long ANY = -1;

  private Check() {}

  /** {@code layout} names the dimensions, {@code "[B, S]"}; {@code expected} has their sizes. */
  static void shape(String name, Tensor tensor, String layout, long... expected) {
    broadcastShape(name, tensor, layout, dim -> false, expected);
  }

  /** As {@link #shape}, but a size of 1 fits as well in dimensions that are {@code broadcast}. */
  static void broadcastShape(
      String name, Tensor tensor, String layout, IntPredicate broadcast, long... expected) {
    boolean fits = tensor.rank() == expected.length;
    for (int dim = 0; fits && dim < expected.length; dim++) {
      fits =
          tensor.size(dim) == expected[dim]
              || expected[dim] == ANY
              || (broadcast.test(dim) && tensor.size(dim) == 1);
    }
    if (!fits) {
      throw new IllegalArgumentException(
          "%s has shape %s, expected %s = %s"
              .formatted(
                  name,
                  Arrays.toString(tensor.rawShape()),
                  layout,
                  Arrays.toString(expected).replace("-1", "any")));
    }
  }

  static void dtype(String name, Tensor tensor, DType expected) {
    if (tensor.dtype() != expected) {
      throw new IllegalArgumentException(
          "%s is %s, expected %s".formatted(name, tensor.dtype(), expected));
    }
  }

  static void floating(String name, Tensor tensor) {
    floating(name, tensor.dtype());
  }

  static void floating(String name, DType dtype) {
    if (!dtype.isFloating()) {
      throw new IllegalArgumentException(
          "%s is %s, expected a floating type".formatted(name, dtype));
    }
  }

  /** A probability of dropping as runs have it. */
  static float dropout(double probability) {
    float value = (float) probability;
    // Rounded to 65536 of 65536 it would drop all, and the scale of the rest would be infinite.
    if (!(value >= 0 && Math.rint(value * 65536.0) < 65536)) {
      throw new IllegalArgumentException(
          "dropout is %s, expected at least 0 and at most %s"
              .formatted(probability, 65535 / 65536.0));
    }
    return value;
  }

  /** The last dimension lies without gaps. */
  static void innermost(String name, Tensor tensor) {
    int last = tensor.rank() - 1;
    if (tensor.size(last) > 1 && tensor.stride(last) != 1) {
      throw new IllegalArgumentException(
          "%s has stride %d in its last dimension, expected 1"
              .formatted(name, tensor.stride(last)));
    }
  }
}
