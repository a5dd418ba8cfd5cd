package dev.fovea;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;

/** What a {@link Tensor} is apart from its elements: where it lies, its shape, and its views. */
abstract sealed class TensorView permits Tensor {
  private final Device device;
  private final Scope scope; // null: somebody else's memory
  private final MemorySegment segment; // from element 0 to the last one
  private final DType dtype;
  private final long[] shape;
  private final long[] strides;

  TensorView(
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
    return with(newShape, newStrides);
  }

  /**
   * Two dimensions in each other's place.
   *
   * @throws IndexOutOfBoundsException if one is not of this tensor
   */
  public Tensor transpose(int dim, int other) {
    int[] order = new int[shape.length];
    Arrays.setAll(order, i -> i);
    order[Objects.checkIndex(dim, shape.length)] = other;
    order[Objects.checkIndex(other, shape.length)] = dim;
    return permute(order);
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

  /**
   * One more dimension, of size 1, before dimension {@code dim}.
   *
   * @throws IndexOutOfBoundsException if {@code dim} is negative or above the rank
   */
  public Tensor unsqueeze(int dim) {
    Objects.checkIndex(dim, shape.length + 1);
    return with(Layouts.insert(shape, dim, 1), Layouts.insert(strides, dim, 0));
  }

  /**
   * Without a dimension of size 1.
   *
   * @throws IndexOutOfBoundsException if {@code dim} is not of this tensor
   * @throws IllegalArgumentException if its size is not 1
   */
  public Tensor squeeze(int dim) {
    if (size(dim) != 1) {
      throw new IllegalArgumentException(
          "dimension %d of %s has more or less than one index: it cannot be squeezed"
              .formatted(dim, description()));
    }
    return select(dim, 0);
  }

  /**
   * The same elements again and again, in dimensions of size 1 and in new ones before the first;
   * nothing is copied.
   *
   * @param sizes of all dimensions; -1 for one that stays as it is
   * @throws IllegalArgumentException if a dimension of another size than 1 would change
   */
  public Tensor expand(long... sizes) {
    int more = sizes.length - shape.length;
    long[] newShape = sizes.clone();
    long[] newStrides = new long[sizes.length];
    boolean valid = more >= 0;
    for (int dim = 0; valid && dim < sizes.length; dim++) {
      if (dim >= more && (sizes[dim] == -1 || sizes[dim] == shape[dim - more])) {
        newShape[dim] = shape[dim - more];
        newStrides[dim] = strides[dim - more];
      } else {
        valid = sizes[dim] >= 0 && (dim < more || shape[dim - more] == 1);
      }
    }
    if (!valid) {
      throw new IllegalArgumentException(
          "%s cannot be expanded to %s".formatted(description(), Arrays.toString(sizes)));
    }
    Layouts.elements(newShape); // refuses more than can be counted
    return at(0, newShape, newStrides);
  }

  /**
   * The same elements in row-major order under another shape; nothing is copied.
   *
   * @param newShape the sizes; one may be -1, and is then what the others leave
   * @throws IllegalArgumentException if gaps between its elements, or their order, leave no strides
   *     for the new shape ({@link Tensor#contiguous} is a copy that has them), or if the number of
   *     elements differs
   */
  public Tensor reshape(long... newShape) {
    long[] sizes = Layouts.infer(newShape, elements());
    if (Layouts.elements(sizes) != elements()) {
      throw new IllegalArgumentException(
          "%s has %d elements, shape %s has %d"
              .formatted(
                  description(), elements(), Arrays.toString(sizes), Layouts.elements(sizes)));
    }
    long[] newStrides = Layouts.reshape(shape, strides, sizes);
    if (newStrides == null) {
      throw new IllegalArgumentException(
          "%s cannot be reshaped to %s without a copy"
              .formatted(description(), Arrays.toString(sizes)));
    }
    return with(sizes, newStrides);
  }

  /** A view of a part: only sizes shrink, so what lies inside this tensor's memory stays inside. */
  private Tensor at(long offset, long[] newShape, long[] newStrides) {
    long bytes = Layouts.spanBytes(newShape, newStrides, dtype);
    long begin = bytes == 0 ? 0 : offset * dtype.byteSize(); // none may begin behind the end
    MemorySegment part = segment.asSlice(begin, bytes);
    return new Tensor(device, scope, part, dtype, newShape, newStrides);
  }

  /** A view of the same memory. */
  private Tensor with(long[] newShape, long[] newStrides) {
    return new Tensor(device, scope, segment, dtype, newShape, newStrides);
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

  /** Type, shape, where there are gaps strides, and device: what messages say. */
  String description() {
    String gaps = isContiguous() ? "" : " strides " + Arrays.toString(strides);
    return dtype + Arrays.toString(shape) + gaps + " on " + device;
  }
}
