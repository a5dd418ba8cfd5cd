package dev.fovea;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.fovea.ffi.Abi;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * The elements of a tensor in memory the host can read: its own, or for a device a copy that {@link
 * #change} sends back. All offsets count elements.
 */
final class TensorData {
  private final Tensor tensor;
  private final DType dtype;
  private final MemorySegment segment;

  private TensorData(Tensor tensor, MemorySegment segment) {
    this.tensor = tensor;
    this.dtype = tensor.dtype();
    this.segment = segment;
  }

  static TensorData of(Tensor tensor) {
    TensorData data = blank(tensor);
    MemorySegment memory = tensor.rawSegment();
    if (data.segment != memory) {
      withScope(tensor, () -> tensor.device().backend().copyOut(memory, data.segment));
    }
    return data;
  }

  /** As {@link #of}, but a copy for a device has zeros in it. */
  private static TensorData blank(Tensor tensor) {
    MemorySegment memory = tensor.rawSegment();
    return new TensorData(
        tensor,
        tensor.device().backend().hostMemory()
            ? memory
            : Arena.ofAuto().allocate(memory.byteSize(), Abi.ALIGNMENT));
  }

  /** Changes elements, and sends them to the device where they are not on the host. */
  static void change(Tensor tensor, Consumer<TensorData> change) {
    of(tensor).change(change);
  }

  /** As {@link #change}, for all elements: what they are before does not matter. */
  static void overwrite(Tensor tensor, Consumer<TensorData> change) {
    // Between the elements of other tensors lies what must stay as it is.
    (tensor.isContiguous() ? blank(tensor) : of(tensor)).change(change);
  }

  private void change(Consumer<TensorData> change) {
    change.accept(this);
    MemorySegment memory = tensor.rawSegment();
    if (segment != memory) {
      withScope(tensor, () -> tensor.device().backend().copyIn(segment, memory));
    }
  }

  static void copy(Tensor from, Tensor to) {
    if (Arrays.equals(from.rawShape(), to.rawShape()) // or else that is what is wrong
        && from.device().sharesMemoryWith(to.device())
        && from.rawSegment().scope().isAlive() // or else what lies there now is another's
        && Overlap.between(from, to)) {
      throw new IllegalArgumentException(to + " shares memory with what is copied to it, " + from);
    }
    if (isOneBlock(from, to)) {
      withScope(from, () -> withScope(to, () -> copyOnDevice(from, to)));
    } else {
      overwrite(to, data -> data.copyFrom(of(from)));
    }
  }

  /** True if the device can copy it without us. */
  private static boolean isOneBlock(Tensor from, Tensor to) {
    return from.device().backend() == to.device().backend()
        && to.device().backend().streams() != null
        && from.dtype() == to.dtype()
        && from.isContiguous()
        && to.isContiguous()
        && Arrays.equals(from.rawShape(), to.rawShape());
  }

  static boolean allClose(Tensor ours, Tensor other, double rtol, double atol) {
    if (!Arrays.equals(ours.rawShape(), other.rawShape())) {
      throw new IllegalArgumentException(
          "other is %s, expected shape %s"
              .formatted(other.description(), Arrays.toString(ours.rawShape())));
    }
    Elements a = of(ours).elements();
    Elements b = of(other).elements();
    double[] x = new double[Elements.BLOCK];
    double[] y = new double[Elements.BLOCK];
    for (int n = a.next(x); n > 0; n = a.next(x)) {
      b.next(y);
      for (int i = 0; i < n; i++) {
        // An infinity is within no distance of itself, nor a NaN of anything.
        boolean near =
            Double.isFinite(y[i]) && Math.abs(x[i] - y[i]) <= atol + rtol * Math.abs(y[i]);
        if (!near && x[i] != y[i]) {
          return false;
        }
      }
    }
    return true;
  }

  private static void copyOnDevice(Tensor from, Tensor to) {
    long bytes = to.rawSegment().byteSize();
    if (bytes > 0) {
      to.device().backend().streams().copy(from.address(), to.address(), bytes);
    }
    for (Scope scope : new Scope[] {from.scope(), to.scope()}) {
      if (scope != null) {
        scope.order().changed();
      }
    }
  }

  private static void withScope(Tensor tensor, Runnable copy) {
    Scope scope = tensor.scope();
    if (scope != null) {
      scope.acquire();
    }
    try {
      if (scope != null && scope.order() != null) {
        scope.order().settle();
      }
      copy.run();
    } finally {
      if (scope != null) {
        scope.release();
      }
    }
  }

  float getFloat(long offset) {
    return switch (dtype) {
      case FLOAT32 -> segment.getAtIndex(JAVA_FLOAT, offset);
      case FLOAT16 -> Float.float16ToFloat(segment.getAtIndex(JAVA_SHORT, offset));
      case BFLOAT16 -> BFloat16.toFloat(segment.getAtIndex(JAVA_SHORT, offset));
      default -> throw otherMethods();
    };
  }

  void setFloat(long offset, float value) {
    switch (dtype) {
      case FLOAT32 -> segment.setAtIndex(JAVA_FLOAT, offset, value);
      case FLOAT16 -> segment.setAtIndex(JAVA_SHORT, offset, Float.floatToFloat16(value));
      case BFLOAT16 -> segment.setAtIndex(JAVA_SHORT, offset, BFloat16.fromFloat(value));
      default -> throw otherMethods();
    }
  }

  int getInt(long offset) {
    require(DType.INT32);
    return segment.getAtIndex(JAVA_INT, offset);
  }

  void setInt(long offset, int value) {
    require(DType.INT32);
    segment.setAtIndex(JAVA_INT, offset, value);
  }

  boolean getBoolean(long offset) {
    require(DType.BOOL);
    return segment.get(JAVA_BYTE, offset) != 0;
  }

  void setBoolean(long offset, boolean value) {
    require(DType.BOOL);
    segment.set(JAVA_BYTE, offset, (byte) (value ? 1 : 0));
  }

  byte getByte(long offset) {
    requireQuantized();
    return segment.get(JAVA_BYTE, offset);
  }

  void setByte(long offset, byte value) {
    requireQuantized();
    segment.set(JAVA_BYTE, offset, value);
  }

  void copyFrom(byte[] values) {
    requireQuantized();
    requireLength(values.length);
    copyFrom(MemorySegment.ofArray(values));
  }

  void copyFrom(float[] values) {
    requireFloating();
    requireLength(values.length);
    Elements.copy(Elements.of(MemorySegment.ofArray(values), DType.FLOAT32), elements());
  }

  void copyFrom(float[][] rows) {
    Elements to = elements();
    for (float[] row : rows) {
      Elements.copy(Elements.of(MemorySegment.ofArray(row), DType.FLOAT32), to);
    }
  }

  void copyFrom(double[] values) {
    requireFloating();
    requireLength(values.length);
    elements().copyFrom(values);
  }

  void copyFrom(int[] values) {
    require(DType.INT32);
    requireLength(values.length);
    copyFrom(MemorySegment.ofArray(values));
  }

  void copyFrom(boolean[] values) {
    require(DType.BOOL);
    requireLength(values.length);
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (values[i] ? 1 : 0);
    }
    copyFrom(MemorySegment.ofArray(bytes));
  }

  void copyFrom(MemorySegment bits) {
    long bytes = tensor.elements() * dtype.byteSize();
    if (bits.byteSize() != bytes) {
      throw new IllegalArgumentException(
          "elements has %d bytes, those of %s are %d"
              .formatted(bits.byteSize(), tensor.description(), bytes));
    }
    Elements.copy(Elements.of(bits, dtype), elements());
  }

  void copyFrom(TensorData other) {
    if (!Arrays.equals(tensor.rawShape(), other.tensor.rawShape())) {
      throw new IllegalArgumentException(
          "other is %s, expected shape %s"
              .formatted(other.tensor.description(), Arrays.toString(tensor.rawShape())));
    }
    other.dtype.requireConvertibleTo(dtype);
    Elements.copy(other.elements(), elements());
  }

  void fill(float value) {
    boolean fits =
        switch (dtype) {
          case INT32 -> (double) (int) value == value;
          case BOOL -> value == 0 || value == 1;
          case INT8, INT4X2, FLOAT8_E4M3 -> (byte) value == value;
          default -> true;
        };
    if (!fits) {
      throw new IllegalArgumentException("value is " + value + ", but the tensor is " + dtype);
    }
    elements().fill(dtype.isFloating() ? Float.floatToRawIntBits(value) : (int) value);
  }

  float[] toFloatArray() {
    requireFloating();
    float[] values = new float[arrayLength()];
    Elements.copy(elements(), Elements.of(MemorySegment.ofArray(values), DType.FLOAT32));
    return values;
  }

  int[] toIntArray() {
    require(DType.INT32);
    int[] values = new int[arrayLength()];
    Elements.copy(elements(), Elements.of(MemorySegment.ofArray(values), DType.INT32));
    return values;
  }

  boolean[] toBooleanArray() {
    require(DType.BOOL);
    byte[] bytes = new byte[arrayLength()];
    Elements.copy(elements(), Elements.of(MemorySegment.ofArray(bytes), DType.BOOL));
    boolean[] values = new boolean[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      values[i] = bytes[i] != 0;
    }
    return values;
  }

  byte[] toByteArray() {
    requireQuantized();
    byte[] values = new byte[arrayLength()];
    Elements.copy(elements(), Elements.of(MemorySegment.ofArray(values), dtype));
    return values;
  }

  private Elements elements() {
    return Elements.of(tensor, segment);
  }

  private int arrayLength() {
    long elements = tensor.elements();
    if (elements > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          tensor.description() + " has more elements than an array can hold");
    }
    return (int) elements;
  }

  private void requireLength(int length) {
    if (length != tensor.elements()) {
      throw new IllegalArgumentException(
          "values has %d elements, %s has %d"
              .formatted(length, tensor.description(), tensor.elements()));
    }
  }

  private void requireFloating() {
    if (!dtype.isFloating()) {
      throw otherMethods();
    }
  }

  private void requireQuantized() {
    if (!dtype.isQuantized()) {
      throw otherMethods();
    }
  }

  private void require(DType type) {
    if (dtype != type) {
      throw otherMethods();
    }
  }

  private IllegalArgumentException otherMethods() {
    String elements =
        switch (dtype) {
          case INT32 -> "int";
          case BOOL -> "boolean";
          case INT8, INT4X2, FLOAT8_E4M3 -> "byte";
          default -> "float";
        };
    return new IllegalArgumentException(
        "the tensor is " + dtype + ": use the methods for " + elements);
  }
}
