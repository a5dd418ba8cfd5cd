package dev.fovea;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Owns the memory it allocates on one device and frees all of it when it is closed. Thread-safe.
 *
 * <p>A scope counts the calls and graphs that use its tensors. It refuses to close during one, with
 * an {@link IllegalStateException}, and stays open and usable; a call on a tensor of a closed scope
 * is refused the same way. A scope that is never closed never frees its memory.
 *
 * <p>Memory of the CPU counts as direct memory of the JVM: {@code -XX:MaxDirectMemorySize} limits
 * it, which by default is the maximal heap size. Closing stops all threads for a moment, about 0.1
 * ms: hold a scope for a request or longer, not for each tensor.
 */
public final class Scope implements AutoCloseable {
  private final Device device;
  private final Arena arena = Arena.ofShared();

  private final Uses uses = new Uses();
  private final StreamOrder order; // null where calls are done when they return

  private Scope(Device device) {
    this.device = Objects.requireNonNull(device, "device");
    this.order = device.backend().streams() == null ? null : new StreamOrder(device);
  }

  /** Memory of the CPU. */
  public static Scope open() {
    return open(Device.cpu());
  }

  /** Memory of {@code device}. */
  public static Scope open(Device device) {
    return new Scope(device);
  }

  /** Where this scope's memory lies. */
  public Device device() {
    return device;
  }

  /**
   * A dense tensor of zeros, aligned to 64 bytes.
   *
   * @throws IllegalArgumentException if a size is negative or the shape too large
   * @throws IllegalStateException if this scope is closed
   * @throws OutOfMemoryError if there is not enough memory of the CPU
   * @throws FoveaException with {@link Status#OUT_OF_MEMORY} if there is not enough of a device
   */
  public Tensor allocate(DType dtype, long... shape) {
    long[] sizes = shape.clone();
    long[] strides = Layouts.denseStrides(sizes);
    long bytes = Layouts.spanBytes(sizes, strides, dtype);
    acquire();
    try {
      MemorySegment memory =
          order == null ? device.backend().allocate(bytes, arena) : order.allocate(bytes, arena);
      return TensorMemory.view(device, this, memory, dtype, sizes, strides);
    } finally {
      release();
    }
  }

  /** A dense {@link DType#FLOAT32} tensor with a copy of {@code values} in row-major order. */
  public Tensor copyOf(float[] values, long... shape) {
    return allocate(DType.FLOAT32, shape).copyFrom(values);
  }

  /** A dense {@link DType#INT32} tensor with a copy of {@code values} in row-major order. */
  public Tensor copyOf(int[] values, long... shape) {
    return allocate(DType.INT32, shape).copyFrom(values);
  }

  /** False once it is closed. */
  public boolean isOpen() {
    return uses.isOpen();
  }

  /** Begins a use of this scope's memory: it will not close before {@link #release}. */
  void acquire() {
    uses.acquire("the scope of this memory");
  }

  void release() {
    uses.release();
  }

  /** Null where calls are done when they return. */
  StreamOrder order() {
    return order;
  }

  /**
   * Frees the memory; on a device with streams behind the work that uses it, without waiting for
   * that. Closing again does nothing.
   *
   * @throws IllegalStateException if a call or a {@link Graph} is using it; the scope then stays
   *     open
   * @throws FoveaException if the device fails
   */
  @Override
  public void close() {
    if (!uses.beginClose(
        "the scope cannot be closed: %d call(s) or graph(s) use its memory; it stays open")) {
      return;
    }
    try {
      arena.close();
    } catch (IllegalStateException e) {
      if (arena.scope().isAlive()) {
        // Somebody holds a segment of ours in a native call that is not ours.
        throw new IllegalStateException(
            "the scope cannot be closed: a native call in flight uses its memory; it stays open",
            e);
      }
      throw e;
    } finally {
      uses.endClose(!arena.scope().isAlive());
    }
  }
}
