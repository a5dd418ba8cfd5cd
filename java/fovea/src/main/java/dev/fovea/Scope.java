package dev.fovea;

import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;

/**
 * Owns the memory it allocates on one device and frees all of it when it is closed. Thread-safe.
 *
 * <p>A scope counts the calls that use its tensors. It refuses to close during one, with an {@link
 * IllegalStateException}, and stays open and usable; a call on a tensor of a closed scope is
 * refused the same way. A scope that is never closed never frees its memory.
 *
 * <p>Memory of the CPU counts as direct memory of the JVM: {@code -XX:MaxDirectMemorySize} limits
 * it, which by default is the maximal heap size. Closing stops all threads for a moment, about 0.1
 * ms: hold a scope for a request or longer, not for each tensor.
 */
public final class Scope implements AutoCloseable {
  private static final int CLOSED = -1;
  private static final VarHandle USES;

  static {
    try {
      USES = MethodHandles.lookup().findVarHandle(Scope.class, "uses", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Device device;
  private final Arena arena = Arena.ofShared();

  /** Calls in flight, or {@link #CLOSED}: one word, so that a call and a close cannot both win. */
  @SuppressWarnings("unused") // through USES
  private volatile int uses;

  private Scope(Device device) {
    this.device = device;
  }

  /** Memory of the CPU. */
  public static Scope open() {
    return open(Device.cpu());
  }

  /** Memory of {@code device}. */
  public static Scope open(Device device) {
    return new Scope(Objects.requireNonNull(device, "device"));
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
   * @throws OutOfMemoryError if there is not enough memory
   */
  public Tensor allocate(DType dtype, long... shape) {
    long[] sizes = shape.clone();
    long[] strides = Layouts.denseStrides(sizes);
    long bytes = Layouts.spanBytes(sizes, strides, dtype);
    acquire();
    try {
      return TensorMemory.view(
          device, this, device.backend().allocate(bytes, arena), dtype, sizes, strides);
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
    return uses != CLOSED;
  }

  /** Begins a use of this scope's memory: it will not close before {@link #release}. */
  void acquire() {
    int found;
    do {
      found = uses;
      if (found == CLOSED) {
        throw new IllegalStateException("the scope of this memory is closed");
      }
    } while (!USES.compareAndSet(this, found, found + 1));
  }

  void release() {
    USES.getAndAdd(this, -1);
  }

  /**
   * Frees the memory. Closing again does nothing.
   *
   * @throws IllegalStateException if a call is using it; the scope then stays open
   */
  @Override
  public void close() {
    if (!USES.compareAndSet(this, 0, CLOSED)) {
      int found = uses;
      if (found == CLOSED) {
        return;
      }
      throw new IllegalStateException(
          "the scope cannot be closed: %d call(s) in flight use its memory; it stays open"
              .formatted(Math.max(found, 1)));
    }
    try {
      arena.close();
    } catch (IllegalStateException e) {
      // Somebody holds a segment of ours in a native call that is not ours.
      uses = 0;
      throw new IllegalStateException(
          "the scope cannot be closed: a native call in flight uses its memory; it stays open", e);
    }
  }
}
