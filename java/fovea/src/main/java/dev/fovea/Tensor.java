package dev.fovea;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * A view of off-heap memory: where it lies, element type, shape, and strides in elements.
 * Immutable; the memory behind it is not. A tensor owns nothing: a {@link Scope}, an arena, a
 * buffer or the caller keeps its memory alive. Using one whose scope or arena is closed throws
 * {@link IllegalStateException}.
 *
 * <p>Every element of every view lies inside the memory it was made over; that is checked when it
 * is made, and sizes that overflow are refused. Strides are zero (the same elements again) or
 * positive.
 *
 * <p>Tensors of a scope or a shared arena may be used from any thread. One over a confined arena
 * can be used by its thread alone, so a call on it runs on that thread without helpers.
 *
 * <p>Only {@code copyFrom}, {@code to}, {@code contiguous}, {@code to…Array}, {@code get…}, {@code
 * set…}, {@code fill}, {@code allClose} and {@code toString} read or write elements, through the
 * Java heap. Values are rounded as IEEE 754 has it, to nearest with ties to even, so that those
 * beyond the largest of a type become infinities and NaN stays NaN; between tensors of one type the
 * bits stay as they are.
 */
public final class Tensor extends TensorView {
  Tensor(
      Device device,
      Scope scope,
      MemorySegment segment,
      DType dtype,
      long[] shape,
      long[] strides) {
    super(device, scope, segment, dtype, shape, strides);
  }

  /**
   * A dense row-major view of the start of {@code data}.
   *
   * @throws IllegalArgumentException if {@code data} is on the heap, too small, or its address is
   *     not a multiple of the element size; if a size is negative or the shape too large
   */
  public static Tensor of(MemorySegment data, DType dtype, long... shape) {
    return of(data, dtype, shape, Layouts.denseStrides(shape));
  }

  /**
   * A strided view of {@code data}, whose first byte is element 0.
   *
   * @param strides for each dimension the elements from one index to the next, zero or positive
   * @throws IllegalArgumentException as {@link #of(MemorySegment, DType, long...)}, or if a stride
   *     is negative
   */
  public static Tensor of(MemorySegment data, DType dtype, long[] shape, long[] strides) {
    return TensorMemory.view(Device.cpu(), null, data, dtype, shape.clone(), strides.clone());
  }

  /**
   * A view of a direct buffer from its position on; no copy.
   *
   * @throws IllegalArgumentException if the buffer is not direct or not in native byte order; else
   *     as {@link #of(MemorySegment, DType, long...)}
   */
  public static Tensor of(FloatBuffer direct, long... shape) {
    return of(TensorMemory.of(direct, direct.order()), DType.FLOAT32, shape);
  }

  /**
   * A view of a direct buffer from its position on; no copy. A byte buffer starts out big-endian,
   * in every slice and duplicate too: call {@code order(ByteOrder.nativeOrder())}.
   *
   * @throws IllegalArgumentException if the buffer is not direct or not in native byte order; else
   *     as {@link #of(MemorySegment, DType, long...)}
   */
  public static Tensor of(ByteBuffer direct, DType dtype, long... shape) {
    return of(TensorMemory.of(direct, direct.order()), dtype, shape);
  }

  /**
   * A view of memory known by its address alone, on the CPU or on a device: a {@code CUdeviceptr}
   * of JCuda, TornadoVM or JavaCPP, of the device's primary context or of its pools. It is never
   * freed here. The caller vouches for the address and keeps the memory alive while the tensor is
   * in use, on a device until the streams that use it are done with it; and, since no scope knows
   * of those streams, orders their work with copies and with each other.
   *
   * <p>As this reads and writes any address, the calling module needs native access: {@code
   * --enable-native-access=} with its name, or with {@code ALL-UNNAMED} on the class path.
   *
   * @throws IllegalCallerException if the calling module has no native access
   * @throws IllegalArgumentException if the address is zero or not a multiple of the element size,
   *     if the device knows that it is not its memory, or for a bad shape or stride
   */
  public static Tensor ofAddress(
      Device device, long address, DType dtype, long[] shape, long[] strides) {
    NativeAccess.require(NativeAccess.CALLER.getCallerClass(), "Tensor.ofAddress");
    return TensorMemory.at(device, address, dtype, shape.clone(), strides.clone());
  }

  /**
   * One element, converted from a floating type.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor is not of a floating type
   */
  public float getFloat(long... index) {
    return TensorData.of(this).getFloat(offset(index));
  }

  /**
   * Sets one element, rounding to nearest, ties to even.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor is not of a floating type
   */
  public void setFloat(float value, long... index) {
    TensorData.change(this, data -> data.setFloat(offset(index), value));
  }

  /**
   * One element of an {@link DType#INT32} tensor.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public int getInt(long... index) {
    return TensorData.of(this).getInt(offset(index));
  }

  /**
   * Sets one element of an {@link DType#INT32} tensor.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public void setInt(int value, long... index) {
    TensorData.change(this, data -> data.setInt(offset(index), value));
  }

  /**
   * One element of a {@link DType#BOOL} tensor.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public boolean getBoolean(long... index) {
    return TensorData.of(this).getBoolean(offset(index));
  }

  /**
   * Sets one element of a {@link DType#BOOL} tensor.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public void setBoolean(boolean value, long... index) {
    TensorData.change(this, data -> data.setBoolean(offset(index), value));
  }

  /**
   * One element of a type of caches: {@link DType#INT8}, {@link DType#INT4X2} or {@link
   * DType#FLOAT8_E4M3}, as its bits.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public byte getByte(long... index) {
    return TensorData.of(this).getByte(offset(index));
  }

  /**
   * Sets one element of such a type.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public void setByte(byte value, long... index) {
    TensorData.change(this, data -> data.setByte(offset(index), value));
  }

  /**
   * Copies an array in row-major order of this view, of bits of such a type. Returns this.
   *
   * @throws IllegalArgumentException if the lengths differ or this tensor is of another type
   */
  public Tensor copyFrom(byte[] values) {
    TensorData.overwrite(this, data -> data.copyFrom(values));
    return this;
  }

  /**
   * Copies an array in row-major order of this view, rounding to nearest, ties to even. Returns
   * this.
   *
   * @throws IllegalArgumentException if the lengths differ or this tensor is not of a floating type
   */
  public Tensor copyFrom(float[] values) {
    TensorData.overwrite(this, data -> data.copyFrom(values));
    return this;
  }

  /**
   * Copies an array in row-major order of this view, rounding once to nearest, ties to even.
   * Returns this.
   *
   * @throws IllegalArgumentException if the lengths differ or this tensor is not of a floating type
   */
  public Tensor copyFrom(double[] values) {
    TensorData.overwrite(this, data -> data.copyFrom(values));
    return this;
  }

  /**
   * Copies an array in row-major order of this view. Returns this.
   *
   * @throws IllegalArgumentException if the lengths differ or this tensor is not {@link
   *     DType#INT32}
   */
  public Tensor copyFrom(int[] values) {
    TensorData.overwrite(this, data -> data.copyFrom(values));
    return this;
  }

  /**
   * Copies an array in row-major order of this view. Returns this.
   *
   * @throws IllegalArgumentException if the lengths differ or this tensor is not {@link DType#BOOL}
   */
  public Tensor copyFrom(boolean[] values) {
    TensorData.overwrite(this, data -> data.copyFrom(values));
    return this;
  }

  /** Of as many rows and columns, which are [rows, columns]. */
  Tensor copyFrom(float[][] rows) {
    TensorData.overwrite(this, data -> data.copyFrom(rows));
    return this;
  }

  /**
   * Copies elements of this tensor's own type, as their bits in native byte order, in row-major
   * order of this view. They may lie anywhere, on the heap too: {@code MemorySegment.ofArray(bits)}
   * of a {@code short[]} with 16-bit floats, {@code MemorySegment.ofBuffer(buffer)} of a buffer.
   * Returns this.
   *
   * @throws IllegalArgumentException if {@code elements} has another number of bytes than this
   *     tensor's elements
   */
  public Tensor copyFrom(MemorySegment elements) {
    TensorData.overwrite(this, data -> data.copyFrom(elements));
    return this;
  }

  /**
   * Copies another tensor of the same shape, from whatever device, converting between floating
   * types with rounding to nearest, ties to even. The two must not overlap. Within a device with
   * streams, dense tensors of one type are copied there: that is queued in its own stream, and
   * other streams wait for it when they next use the memory.
   *
   * @return this tensor
   * @throws IllegalArgumentException if the two overlap, if the shapes differ, or if the types do
   *     and one is no floating type
   */
  public Tensor copyFrom(Tensor other) {
    TensorData.copy(other, this);
    return this;
  }

  /**
   * A new dense tensor of {@code scope}, on its device, with these elements in another type.
   *
   * @throws IllegalArgumentException if the types differ and one is no floating type
   * @throws RuntimeException as {@link Scope#allocate}
   */
  public Tensor to(Scope scope, DType other) {
    dtype().requireConvertibleTo(other);
    return scope.allocate(other, rawShape()).copyFrom(this);
  }

  /**
   * This tensor where its elements lie in row-major order without gaps, else a new dense one of
   * {@code scope} with the same elements.
   *
   * @throws RuntimeException as {@link Scope#allocate}
   */
  public Tensor contiguous(Scope scope) {
    return isContiguous() ? this : to(scope, dtype());
  }

  /**
   * Sets every element, rounding to nearest, ties to even. Returns this.
   *
   * @throws IllegalArgumentException if this tensor is {@link DType#INT32} and {@code value} is not
   *     an {@code int}, or {@link DType#BOOL} and it is not 0 or 1
   */
  public Tensor fill(float value) {
    TensorData.overwrite(this, data -> data.fill(value));
    return this;
  }

  /**
   * A copy of the elements in row-major order of this view.
   *
   * @throws IllegalArgumentException if there are more than an array can hold, or this tensor is
   *     not of a floating type
   */
  public float[] toFloatArray() {
    return TensorData.of(this).toFloatArray();
  }

  /**
   * A copy of the elements in row-major order of this view.
   *
   * @throws IllegalArgumentException if there are more than an array can hold, or this tensor is
   *     not {@link DType#INT32}
   */
  public int[] toIntArray() {
    return TensorData.of(this).toIntArray();
  }

  /**
   * A copy of the elements in row-major order of this view, as their bits.
   *
   * @throws IllegalArgumentException if there are more than an array can hold, or this tensor is
   *     not {@link DType#INT8}, {@link DType#INT4X2} or {@link DType#FLOAT8_E4M3}
   */
  public byte[] toByteArray() {
    return TensorData.of(this).toByteArray();
  }

  /**
   * A copy of the elements in row-major order of this view.
   *
   * @throws IllegalArgumentException if there are more than an array can hold, or this tensor is
   *     not {@link DType#BOOL}
   */
  public boolean[] toBooleanArray() {
    return TensorData.of(this).toBooleanArray();
  }

  /**
   * True if the shapes are equal and each element is within {@code atol + rtol * |other|} of that
   * of {@code other}: equal where both are infinite, and never where one is NaN. Types may differ.
   *
   * @throws IllegalArgumentException if the shapes differ
   */
  public boolean allClose(Tensor other, double rtol, double atol) {
    return TensorData.allClose(this, other, rtol, atol);
  }

  private long offset(long[] index) {
    return Layouts.offset(index, rawShape(), rawStrides());
  }

  /**
   * Type, shape and device, and in short the values of a small tensor, the first and last of each
   * dimension, where the host can read them and somebody is known to keep the memory alive.
   */
  @Override
  public String toString() {
    return description() + TensorText.values(this);
  }
}
