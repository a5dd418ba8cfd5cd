package dev.fovea;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/**
 * Owns the memory it allocates on one device and frees all of it when it is closed. Thread-safe.
 *
 * <p>A scope counts the calls and graphs that use its tensors. It refuses to close during one, with
 * an {@link IllegalStateException}, and stays open and usable; a call on a tensor of a closed scope
 * is refused the same way. A scope that is never closed never frees its memory.
 *
 * <p>All scopes of host memory together may hold three quarters of the memory that the JVM sees,
 * the container's or the machine's, unless {@code -Dfovea.memory.limit=SIZE} says otherwise, in
 * bytes or with a suffix of {@code k}, {@code m}, {@code g} or {@code t}; that is read once. What
 * is more is refused with a {@link FoveaException} of {@link Status#OUT_OF_MEMORY}. {@link
 * Device#memoryHeld} says how much they hold; the JVM's own limit, {@code -XX:MaxDirectMemorySize},
 * does not count it. Flight recordings have events {@code dev.fovea.ScopeAllocation} and {@code
 * dev.fovea.ScopeClose} where they ask for them.
 *
 * <p>It also keeps the working memory of {@link Attention#forward} and {@link Attention#backward},
 * which have none of their own, for the next time; a child scope leaves that to its parent.
 *
 * <p>Closing a scope stops all threads for a moment, about 0.1 ms: hold one for a request or
 * longer, not for each tensor, or take one {@linkplain #over(Arena) over a confined arena}.
 */
public final class Scope implements AutoCloseable {
  private final Device device;
  private final Scope parent; // null: closes by itself alone
  private final Arena arena;
  private final boolean ownsArena;

  private final Uses uses = new Uses();
  private final StreamOrder order; // null where calls are done when they return
  private final MemoryBudget.Account account;
  private final Set<Scope> children = ConcurrentHashMap.newKeySet();

  /** Of the last run that had none of its own, for the next; null while one uses it. */
  private final AtomicReference<RunMemory> spare = new AtomicReference<>();

  private Scope(Device device, Arena arena, boolean ownsArena, Scope parent) {
    this.device = device;
    this.parent = parent;
    this.arena = arena;
    this.ownsArena = ownsArena;
    this.order = device.backend().streams() == null ? null : new StreamOrder(device);
    this.account = device.budget().open(device.name());
  }

  /** Memory of the CPU. */
  public static Scope open() {
    return open(Device.cpu());
  }

  /** Memory of {@code device}. */
  public static Scope open(Device device) {
    Objects.requireNonNull(device, "device");
    return new Scope(device, Arena.ofShared(), true, null);
  }

  /** Memory of the CPU out of an arena of yours, as {@link #over(Arena, Device)}. */
  public static Scope over(Arena arena) {
    return over(arena, Device.cpu());
  }

  /**
   * Memory of {@code device} out of an arena of yours, of any kind: it goes with the arena, and
   * only then counts no longer. Closing this scope frees nothing, but ends the use of its tensors.
   * Close it first, or close the arena alone: then the JVM refuses what uses the memory. Tensors in
   * a confined arena are for its thread alone, and calls on them run there without helpers.
   *
   * @throws IllegalStateException if the arena is closed
   * @throws WrongThreadException if it is confined to another thread
   */
  public static Scope over(Arena arena, Device device) {
    Objects.requireNonNull(device, "device");
    Scope scope = new Scope(device, arena, false, null);
    try {
      scope.account.closeWith(arena);
      return scope;
    } catch (RuntimeException e) {
      scope.account.close();
      throw e;
    }
  }

  /**
   * A scope of the same device that closes with this one, if it is not closed before. This one does
   * not close while a call uses memory of a child.
   *
   * @throws IllegalStateException if this scope is closed
   */
  public Scope child() {
    acquire();
    try {
      Scope child = new Scope(device, Arena.ofShared(), true, this);
      children.add(child);
      return child;
    } finally {
      release();
    }
  }

  /** Where this scope's memory lies. */
  public Device device() {
    return device;
  }

  /** Bytes of the tensors that this scope and its children hold. */
  public long memoryHeld() {
    return account.bytes() + children.stream().mapToLong(Scope::memoryHeld).sum();
  }

  /**
   * A dense tensor of zeros, aligned to 64 bytes.
   *
   * @throws IllegalArgumentException if a size is negative or the shape too large
   * @throws IllegalStateException if this scope is closed
   * @throws FoveaException with {@link Status#OUT_OF_MEMORY} if scopes would hold more than they
   *     may, or there is not enough memory of the CPU or the device
   */
  public Tensor allocate(DType dtype, long... shape) {
    long[] sizes = shape.clone();
    long[] strides = Layouts.denseStrides(sizes);
    long bytes = Layouts.spanBytes(sizes, strides, dtype);
    acquire();
    try {
      MemorySegment memory =
          ScopeAllocationEvent.PROBE.isEnabled()
              ? allocateRecorded(bytes, dtype, sizes)
              : allocate(bytes);
      return TensorMemory.view(device, this, memory, dtype, sizes, strides);
    } finally {
      release();
    }
  }

  /**
   * A tensor of zeros [B, S, H, D] over memory of the given layout, aligned to 64 bytes.
   *
   * @throws RuntimeException as {@link #allocate(DType, long...)}
   */
  public Tensor allocate(
      Layout layout, DType dtype, long batch, long length, long heads, long headDim) {
    return switch (layout) {
      case BSHD -> allocate(dtype, batch, length, heads, headDim);
      case BHSD -> allocate(dtype, batch, heads, length, headDim).transpose(1, 2);
    };
  }

  private MemorySegment allocate(long bytes) {
    account.reserve(bytes);
    boolean done = false;
    try {
      MemorySegment memory =
          order == null ? device.backend().allocate(bytes, arena) : order.allocate(bytes, arena);
      done = true;
      return memory;
    } catch (OutOfMemoryError e) {
      FoveaException failure =
          new FoveaException(
              Status.OUT_OF_MEMORY,
              "%,d bytes cannot be had, although scopes hold %,d of the %,d that they may hold: %s"
                  .formatted(
                      bytes, device.memoryHeld() - bytes, device.memoryLimit(), e.getMessage()));
      failure.initCause(e);
      throw failure;
    } finally {
      if (!done) {
        account.giveBack(bytes);
      }
    }
  }

  private MemorySegment allocateRecorded(long bytes, DType dtype, long[] shape) {
    ScopeAllocationEvent event = new ScopeAllocationEvent();
    event.begin();
    MemorySegment memory = allocate(bytes);
    event.end();
    if (event.shouldCommit()) {
      event.device = device.name();
      event.dtype = dtype.name();
      event.shape = Arrays.toString(shape);
      event.bytes = bytes;
      event.scopeBytes = account.bytes();
      event.held = device.memoryHeld();
      event.commit();
    }
    return memory;
  }

  /**
   * A dense {@link DType#FLOAT32} tensor with a copy of {@code values} in row-major order.
   *
   * @throws RuntimeException as {@link #allocate(DType, long...)} and {@link Tensor#copyFrom}
   */
  public Tensor copyOf(float[] values, long... shape) {
    return copyOf(values, DType.FLOAT32, shape);
  }

  /**
   * A dense tensor of a floating type with a copy of {@code values} in row-major order, rounded to
   * nearest, ties to even.
   *
   * @throws RuntimeException as {@link #allocate(DType, long...)} and {@link Tensor#copyFrom}
   */
  public Tensor copyOf(float[] values, DType dtype, long... shape) {
    DType.FLOAT32.requireConvertibleTo(dtype);
    return allocateFor(values.length, dtype, shape).copyFrom(values);
  }

  /**
   * A dense tensor of a floating type with a copy of {@code values} in row-major order, rounded
   * once to nearest, ties to even.
   *
   * @throws RuntimeException as {@link #allocate(DType, long...)} and {@link Tensor#copyFrom}
   */
  public Tensor copyOf(double[] values, DType dtype, long... shape) {
    DType.FLOAT32.requireConvertibleTo(dtype);
    return allocateFor(values.length, dtype, shape).copyFrom(values);
  }

  /**
   * A dense {@link DType#INT32} tensor with a copy of {@code values} in row-major order.
   *
   * @throws RuntimeException as {@link #allocate(DType, long...)} and {@link Tensor#copyFrom}
   */
  public Tensor copyOf(int[] values, long... shape) {
    return allocateFor(values.length, DType.INT32, shape).copyFrom(values);
  }

  /** As {@link #copyOf(int[], long...)}, of {@link DType#BOOL}. */
  public Tensor copyOf(boolean[] values, long... shape) {
    return allocateFor(values.length, DType.BOOL, shape).copyFrom(values);
  }

  /**
   * A dense tensor [rows, columns] of a floating type with a copy of {@code rows}, rounded to
   * nearest, ties to even.
   *
   * @throws IllegalArgumentException if the rows differ in length, or {@code dtype} is no floating
   *     type
   * @throws RuntimeException as {@link #allocate(DType, long...)}
   */
  public Tensor copyOf(float[][] rows, DType dtype) {
    DType.FLOAT32.requireConvertibleTo(dtype);
    int columns = rows.length == 0 ? 0 : rows[0].length;
    for (int row = 0; row < rows.length; row++) {
      if (rows[row].length != columns) {
        throw new IllegalArgumentException(
            "row %d has %d values, row 0 has %d".formatted(row, rows[row].length, columns));
      }
    }
    return allocate(dtype, rows.length, columns).copyFrom(rows);
  }

  /**
   * A dense tensor with a copy of elements that are of its type already, as {@link
   * Tensor#copyFrom(MemorySegment)} takes them: 16-bit floats of a {@code short[]}, or a buffer.
   *
   * {@snippet :
   * Tensor tensor = scope.copyOf(MemorySegment.ofArray(bits), DType.BFLOAT16, 2, 3);
   * }
   *
   * @throws RuntimeException as {@link #allocate(DType, long...)} and {@link Tensor#copyFrom}
   */
  public Tensor copyOf(MemorySegment elements, DType dtype, long... shape) {
    return allocateFor(elements.byteSize() / dtype.byteSize(), dtype, shape).copyFrom(elements);
  }

  /** Nothing is allocated for values that do not fit. */
  private Tensor allocateFor(long values, DType dtype, long... shape) {
    if (Layouts.elements(shape) != values) {
      throw new IllegalArgumentException(
          "values has %d elements, shape %s has %d"
              .formatted(values, Arrays.toString(shape), Layouts.elements(shape)));
    }
    return allocate(dtype, shape);
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

  /** Runs with memory that is kept for the next time, by the scope that has no parent. */
  <T> T withMemory(Function<RunMemory, T> run) {
    if (parent != null) {
      return parent.withMemory(run);
    }
    RunMemory memory = spare.getAndSet(null);
    if (memory == null) {
      memory = new RunMemory();
    }
    try {
      return run.apply(memory);
    } finally {
      spare.set(isOpen() && memory.isReusable() ? memory : null);
    }
  }

  /** Null where calls are done when they return. */
  StreamOrder order() {
    return order;
  }

  /**
   * Frees the memory and that of its children; on a device with streams behind the work that uses
   * it, without waiting for that. Closing again does nothing.
   *
   * @throws IllegalStateException if a call or a {@link Graph} is using it, or memory of a child;
   *     the scope then stays open
   * @throws FoveaException if the device fails
   */
  @Override
  public void close() {
    List<Scope> closing = new ArrayList<>();
    RuntimeException failure = null;
    try {
      beginClose(closing);
      while (!closing.isEmpty()) {
        Scope last = closing.getLast(); // children come behind their parents
        try {
          last.free();
        } catch (RuntimeException e) {
          if (last.ownsArena && last.arena.scope().isAlive()) {
            // Somebody holds a segment of it in a native call that is not ours.
            throw new IllegalStateException(
                "the scope cannot be closed: a native call in flight uses its memory; it stays"
                    + " open",
                e);
          }
          if (failure == null) {
            failure = e;
          } else {
            failure.addSuppressed(e);
          }
        }
        closing.removeLast().uses.endClose(true);
      }
    } finally {
      closing.forEach(scope -> scope.uses.endClose(false));
    }
    if (failure != null) {
      throw failure;
    }
  }

  /**
   * Refuses uses until it is decided, of this and of all below it that are open, and lists them.
   */
  private void beginClose(List<Scope> closing) {
    if (uses.beginClose(
        "the scope cannot be closed: %d call(s) or graph(s) use its memory; it stays open")) {
      closing.add(this);
      children.forEach(child -> child.beginClose(closing));
    }
  }

  private void free() {
    spare.set(null);
    if (!ownsArena) {
      return;
    }
    try {
      arena.close();
    } finally {
      if (!arena.scope().isAlive()) {
        account.close();
        if (parent != null) {
          parent.children.remove(this);
        }
      }
    }
  }

  @Override
  public String toString() {
    return "scope of %s, %s, %,d bytes"
        .formatted(device, isOpen() ? "open" : "closed", memoryHeld());
  }
}
