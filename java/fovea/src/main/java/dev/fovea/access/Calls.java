package dev.fovea.access;

import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.Tensor;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.spi.CallAccess;

/** Operands of any operation by the names of its declaration, for who handles all alike. */
public final class Calls {
  private Calls() {}

  /** What it is a call of. */
  public static NativeOperation operation(OperationCall<?> call) {
    return access().operation().apply(call);
  }

  /** The sizes of out, if operands fit together. */
  public static long[] outShape(OperationCall<?> call) {
    return access().outShape().apply(call);
  }

  /** Binds an operand; null for none. */
  public static void bind(OperationCall<?> call, String operand, Tensor tensor) {
    access().operand().bind(call, operand, tensor);
  }

  /** Binds a gradient; null for none. */
  public static void bind(OperationBackward<?> backward, String gradient, Tensor tensor) {
    access().gradient().bind(backward, gradient, tensor);
  }

  // Whoever has a call has initialised the class that leaves it.
  private static CallAccess<OperationCall<?>, OperationBackward<?>, Tensor> access() {
    return CallAccess.left();
  }
}
