package dev.fovea;

import java.util.Arrays;

/** Checks of operands whose messages name the operand, what it is, and what was expected. */
final class Check {
  /** A size that any value fits. */
  static final long ANY = -1;

  private Check() {}

  /** {@code layout} names the dimensions, {@code "[B, S]"}; {@code expected} has their sizes. */
  static void shape(String name, Tensor tensor, String layout, long... expected) {
    broadcastShape(name, tensor, layout, 0, expected);
  }

  /** As {@link #shape}, but a size of 1 fits as well in the first {@code broadcast} dimensions. */
  static void broadcastShape(
      String name, Tensor tensor, String layout, int broadcast, long... expected) {
    boolean fits = tensor.rank() == expected.length;
    for (int dim = 0; fits && dim < expected.length; dim++) {
      fits =
          tensor.size(dim) == expected[dim]
              || expected[dim] == ANY
              || (dim < broadcast && tensor.size(dim) == 1);
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

  /**
   * As {@link #broadcastShape}, but all but the last two dimensions may be missing, from the left:
   * what is missing is broadcast. {@code dims} names the dimensions.
   */
  static void leftBroadcastShape(
      String name, Tensor tensor, String[] dims, int broadcast, long... expected) {
    int rank = tensor.rank();
    int missing = rank < 2 || rank > dims.length ? 0 : dims.length - rank;
    String layout = String.join(", ", Arrays.asList(dims).subList(missing, dims.length));
    broadcastShape(
        name,
        tensor,
        "[" + layout + "]",
        broadcast - missing,
        Arrays.copyOfRange(expected, missing, expected.length));
  }

  static void dtype(String name, Tensor tensor, DType expected) {
    if (tensor.dtype() != expected) {
      throw new IllegalArgumentException(
          "%s is %s, expected %s".formatted(name, tensor.dtype(), expected));
    }
  }

  static void floating(String name, Tensor tensor) {
    if (!tensor.dtype().isFloating()) {
      throw new IllegalArgumentException(
          "%s is %s, expected a floating type".formatted(name, tensor.dtype()));
    }
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
