package dev.fovea;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Objects;

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
 * <p>Only {@code copyFrom}, {@code to…Array}, {@code get…}, {@code set…} and {@code fill} move
 * elements through the Java heap: they are for setting up and looking at data.
 */
public final class Tensor {
  private final Device device;
  private final Scope scope; // null: somebody else's memory
  private final MemorySegment segment; // from element 0 to the last one
  private final DType dtype;
  private final long[] shape;
  private final long[] strides;

  Tensor(
      Device device,
      Scope scope,
      MemorySegment segment,
      DType dtype,
      long[] shape,
      long[] strides) {
    this.device = device;
    this.scope = scope;
    this.segment = segment;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
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
   * @throws IllegalArgumentException if the address is zero or not a multiple of the element size,
   *     if the device knows that it is not its memory, or for a bad shape or stride
   */
  public static Tensor ofAddress(
      Device device, long address, DType dtype, long[] shape, long[] strides) {
    return TensorMemory.at(device, address, dtype, shape.clone(), strides.clone());
  }

  /** Element type. */
  public DType dtype() {
    return dtype;
  }

  /** Number of dimensions. */
  public int rank() {
    return shape.length;
  }

  /** Size of one dimension. */
  public long size(int dim) {
    return shape[Objects.checkIndex(dim, shape.length)];
  }

  /** A copy of the sizes. */
  public long[] shape() {
    return shape.clone();
  }

  /** Elements from one index of {@code dim} to the next. */
  public long stride(int dim) {
    return strides[Objects.checkIndex(dim, shape.length)];
  }

  /** A copy of the strides. */
  public long[] strides() {
    return strides.clone();
  }

  /** Number of elements: the product of the sizes. */
  public long elements() {
    return Layouts.elements(shape);
  }

  /** True if the elements lie in row-major order without gaps. */
  public boolean isContiguous() {
    return Layouts.isContiguous(shape, strides);
  }

  /** Where the memory lies, and what calls on this tensor run on. */
  public Device device() {
    return device;
  }

  /**
   * The memory from element 0 to the last element.
   *
   * @throws UnsupportedOperationException if the host cannot read the device's memory
   */
  public MemorySegment segment() {
    if (!device.backend().hostMemory()) {
      throw new UnsupportedOperationException(
          "memory of " + device + " is not readable here: use address() or copy it");
    }
    return segment;
  }

  /** Address of element 0. */
  public long address() {
    return segment.address();
  }

  /**
   * The same memory as seen by another device that shares it: another instruction set tier of the
   * CPU, for example. The query's device is what a call runs on.
   *
   * @throws IllegalArgumentException if the device does not share this memory
   */
  public Tensor on(Device other) {
    if (!other.sharesMemoryWith(device)) {
      throw new IllegalArgumentException(other + " does not share the memory of " + device);
    }
    return new Tensor(other, scope, segment, dtype, shape, strides);
  }

  /**
   * The dimensions in another order: {@code permute(0, 2, 1, 3)} turns [B, H, S, D] memory into the
   * [B, S, H, D] view that attention takes.
   *
   * @throws IllegalArgumentException if {@code order} does not name every dimension once
   */
  public Tensor permute(int... order) {
    long[] newShape = new long[shape.length];
    long[] newStrides = new long[shape.length];
    boolean[] named = new boolean[shape.length];
    boolean valid = order.length == shape.length;
    for (int dim = 0; valid && dim < order.length; dim++) {
      int from = order[dim];
      valid = from >= 0 && from < shape.length && !named[from];
      if (valid) {
        named[from] = true;
        newShape[dim] = shape[from];
        newStrides[dim] = strides[from];
      }
    }
    if (!valid) {
      throw new IllegalArgumentException(
          "order %s is not a permutation of %d dimensions"
              .formatted(Arrays.toString(order), shape.length));
    }
    return new Tensor(device, scope, segment, dtype, newShape, newStrides);
  }

  /**
   * The indices {@code from} to {@code to - 1} of one dimension.
   *
   * @throws IndexOutOfBoundsException if {@code dim} or the range is not inside this tensor
   */
  public Tensor slice(int dim, long from, long to) {
    Objects.checkFromToIndex(from, to, size(dim));
    long[] newShape = shape.clone();
    newShape[dim] = to - from;
    return at(from * strides[dim], newShape, strides);
  }

  /**
   * One index of one dimension, which goes away.
   *
   * @throws IndexOutOfBoundsException if {@code dim} or {@code index} is not inside this tensor
   */
  public Tensor select(int dim, long index) {
    Objects.checkIndex(index, size(dim));
    long[] newShape = new long[shape.length - 1];
    long[] newStrides = new long[shape.length - 1];
    for (int from = 0, to = 0; from < shape.length; from++) {
      if (from != dim) {
        newShape[to] = shape[from];
        newStrides[to++] = strides[from];
      }
    }
    return at(index * strides[dim], newShape, newStrides);
  }

  /** A view of a part: only sizes shrink, so what lies inside this tensor's memory stays inside. */
  private Tensor at(long offset, long[] newShape, long[] newStrides) {
    long bytes = Layouts.spanBytes(newShape, newStrides, dtype);
    long begin = bytes == 0 ? 0 : offset * dtype.byteSize(); // none may begin behind the end
    MemorySegment part = segment.asSlice(begin, bytes);
    return new Tensor(device, scope, part, dtype, newShape, newStrides);
  }

  /**
   * The same elements in row-major order under another shape.
   *
   * @throws IllegalArgumentException if this tensor is not contiguous, or the number of elements
   *     differs
   */
  public Tensor reshape(long... newShape) {
    long[] sizes = newShape.clone();
    if (!isContiguous()) {
      throw new IllegalArgumentException(this + " is not contiguous: it cannot be reshaped");
    }
    if (Layouts.elements(sizes) != elements()) {
      throw new IllegalArgumentException(
          "%s has %d elements, shape %s has %d"
              .formatted(this, elements(), Arrays.toString(sizes), Layouts.elements(sizes)));
    }
    return new Tensor(device, scope, segment, dtype, sizes, Layouts.denseStrides(sizes));
  }

  /**
   * One element, converted from a floating type.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor is {@link DType#INT32}
   */
  public float getFloat(long... index) {
    return TensorData.of(this).getFloat(Layouts.offset(index, shape, strides));
  }

  /**
   * Sets one element, rounding to nearest, ties to even.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor is {@link DType#INT32}
   */
  public void setFloat(float value, long... index) {
    TensorData.change(this, data -> data.setFloat(Layouts.offset(index, shape, strides), value));
  }

  /**
   * One element of an {@link DType#INT32} tensor.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public int getInt(long... index) {
    return TensorData.of(this).getInt(Layouts.offset(index, shape, strides));
  }

  /**
   * Sets one element of an {@link DType#INT32} tensor.
   *
   * @throws IndexOutOfBoundsException if the index is not inside this tensor
   * @throws IllegalArgumentException if this tensor has another type
   */
  public void setInt(int value, long... index) {
    TensorData.change(this, data -> data.setInt(Layouts.offset(index, shape, strides), value));
  }

  /**
   * Copies an array in row-major order of this view, rounding to nearest, ties to even. Returns
   * this.
   *
   * @throws IllegalArgumentException if the lengths differ or this tensor is {@link DType#INT32}
   */
  public Tensor copyFrom(float[] values) {
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
   * Copies another tensor of the same shape, from whatever device, converting between floating
   * types with rounding to nearest, ties to even. The two must not overlap. Within a device with
   * streams, dense tensors of one type are copied there: that is queued in its own stream, and
   * other streams wait for it when they next use the memory.
   *
   * @return this tensor
   * @throws IllegalArgumentException if the two overlap, if the shapes differ, or if one is {@link
   *     DType#INT32} and the other not
   */
  public Tensor copyFrom(Tensor other) {
    TensorData.copy(other, this);
    return this;
  }

  /**
   * Sets every element, rounding to nearest, ties to even. Returns this.
   *
   * @throws IllegalArgumentException if this tensor is {@link DType#INT32} and {@code value} is not
   *     an {@code int}
   */
  public Tensor fill(float value) {
    TensorData.overwrite(this, data -> data.fill(value));
    return this;
  }

  /**
   * A copy of the elements in row-major order of this view.
   *
   * @throws IllegalArgumentException if there are more than an array can hold, or this tensor is
   *     {@link DType#INT32}
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

  /** The array itself, not to be changed; so is that of the strides. */
  long[] rawShape() {
    return shape;
  }

  long[] rawStrides() {
    return strides;
  }

  /** Not to be dereferenced if it is of a device. */
  MemorySegment rawSegment() {
    return segment;
  }

  /** The scope that owns the memory, or null. */
  Scope scope() {
    return scope;
  }

  @Override
  public String toString() {
    String gaps = isContiguous() ? "" : " strides " + Arrays.toString(strides);
    return dtype + Arrays.toString(shape) + gaps + " on " + device;
  }
}
