package dev.fovea.spi;

import dev.fovea.ffi.NativeOperation;
import java.util.function.Function;

/**
 * The way to what a call keeps to itself, which the class of calls leaves here for those whom this
 * package is exported to: operands by the names of their declaration.
 *
 * @param <C> that class, which is of a higher layer
 * @param <B> the class of backward passes
 * @param <T> the class of tensors
 * @param operation what it is a call of
 * @param outShape the sizes of out, if operands fit together
 * @param operand binds an operand
 * @param gradient binds a gradient
 */
public record CallAccess<C, B, T>(
    Function<C, NativeOperation> operation,
    Function<C, long[]> outShape,
    Binder<C, T> operand,
    Binder<B, T> gradient) {
  private static volatile CallAccess<?, ?, ?> left;

  /**
   * Binds a tensor by a name.
   *
   * @param <O> what to
   * @param <T> the class of tensors
   */
  @FunctionalInterface
  public interface Binder<O, T> {
    /** Binds it; null for none. */
    void bind(O to, String name, T tensor);
  }

  /** Leaves it, once. */
  public static void leave(CallAccess<?, ?, ?> access) {
    if (left != null) {
      throw new IllegalStateException("the access to calls is there already");
    }
    left = access;
  }

  /** What was left. */
  @SuppressWarnings("unchecked") // nobody else leaves one
  public static <C, B, T> CallAccess<C, B, T> left() {
    return (CallAccess<C, B, T>) left;
  }
}
