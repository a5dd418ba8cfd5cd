package dev.fovea;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The values of a tensor for people. */
final class TensorText {
  /** More values than these in a text are not read by anybody. */
  private static final int MOST = 100;

  /** Of a dimension, what is shown at either end. */
  private static final int ENDS = 3;

  private final Tensor tensor;
  private final TensorData data;
  private final StringBuilder text = new StringBuilder(" ");
  private final long[] index;

  private TensorText(Tensor tensor) {
    this.tensor = tensor;
    this.data = TensorData.of(tensor);
    this.index = new long[tensor.rank()];
  }

  /** Begins with a space; nothing where there are too many values, none, or none to be read. */
  static String values(Tensor tensor) {
    long shown = 1;
    for (long size : tensor.rawShape()) {
      shown = Math.min(MOST + 1, shown * Math.min(size, 2 * ENDS));
    }
    if (shown == 0 || shown > MOST || !isReadable(tensor)) {
      return "";
    }
    try {
      TensorText text = new TensorText(tensor);
      text.append(0);
      return text.text.toString();
    } catch (IllegalStateException closedMeanwhile) {
      return "";
    }
  }

  /** True if reading cannot crash: of an address that somebody gave us, nobody knows. */
  private static boolean isReadable(Tensor tensor) {
    MemorySegment memory = tensor.rawSegment();
    Scope scope = tensor.scope();
    return tensor.device().backend().hostMemory()
        && memory.isAccessibleBy(Thread.currentThread())
        && (scope != null ? scope.isOpen() : !memory.scope().equals(Arena.global().scope()));
  }

  private void append(int dim) {
    if (dim == index.length) {
      text.append(
          switch (tensor.dtype()) {
            case INT32 -> String.valueOf(tensor.getInt(index));
            case BOOL -> String.valueOf(tensor.getBoolean(index));
            case INT8, INT4X2, FLOAT8_E4M3 -> String.valueOf(tensor.getByte(index));
            default -> String.valueOf(tensor.getFloat(index));
          });
      return;
    }
    long size = tensor.size(dim);
    text.append('[');
    for (long i = 0; i < size; i++) {
      if (i > 0) {
        text.append(", ");
      }
      if (size > 2 * ENDS && i == ENDS) {
        text.append("…, ");
        i = size - ENDS;
      }
      index[dim] = i;
      append(dim + 1);
    }
    text.append(']');
  }
}
