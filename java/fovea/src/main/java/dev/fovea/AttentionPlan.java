package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * What the planner decided for one spec, one shape and one device: kernel, tiles, pieces of work
 * and memory. Immutable and thread-safe; many calls may share one.
 */
public final class AttentionPlan {
  private final DeviceBackend backend;
  private final MemorySegment block;
  private final String kernel;
  private final long[] items;
  private boolean prepared; // guarded by this

  private AttentionPlan(DeviceBackend backend, MemorySegment block) {
    this.backend = backend;
    this.block = block;
    this.kernel = FoveaPlan.KERNEL.get(block);
    this.items = new long[FoveaPlan.PHASES.get(block)];
    for (int phase = 0; phase < items.length; phase++) {
      items[phase] = FoveaPlan.ITEMS.get(block, phase);
    }
  }

  /** Of a call with these operands. */
  static AttentionPlan of(OperationSpec options, PassOperands operands) {
    return of(options, operands, spec -> {});
  }

  /** With more in the block than operands and options say. */
  static AttentionPlan of(
      OperationSpec options, PassOperands operands, Consumer<MemorySegment> more) {
    operands.check();
    Device device = operands.device();
    try {
      return of(device, options, more.andThen(spec -> SpecFiller.fill(operands, options, spec)));
    } catch (IllegalArgumentException refusal) {
      PassOperands swapped = operands.swapped();
      if (swapped == null) {
        throw refusal;
      }
      try {
        of(device, options, more.andThen(spec -> SpecFiller.fill(swapped, options, spec)));
      } catch (IllegalArgumentException | UnsupportedOperationException no) {
        throw refusal;
      }
      throw new IllegalArgumentException(refusal.getMessage() + swapHint(operands), refusal);
    }
  }

  private static String swapHint(PassOperands operands) {
    PassOperands.Bound first = operands.first();
    List<Operand.Axis> right = first.operand().axes(false, null);
    List<Operand.Axis> swapped = List.of(right.get(0), right.get(2), right.get(1), right.get(3));
    return "; %s is %s: is that %s? permute(0, 2, 1, 3) makes it %s"
        .formatted(first.name(), Arrays.toString(first.tensor().rawShape()), swapped, right);
  }

  /** Of what {@code shape} fills in. */
  static AttentionPlan of(Device device, OperationSpec options, Consumer<MemorySegment> shape) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = options.operation().allocateSpec(arena);
      shape.accept(spec);
      options.fill(spec);
      return device.plans().get(options.operation(), spec);
    }
  }

  static AttentionPlan make(DeviceBackend backend, NativeOperation operation, MemorySegment spec) {
    // Lives as long as this object: every native call takes it as a segment, which keeps it.
    MemorySegment block = FoveaPlan.allocate(Arena.ofAuto());
    int status = backend.library().plan(operation, spec, backend.info(), block);
    if (status != Abi.OK) {
      throw Failures.of(status, FoveaPlan.ERROR.get(block));
    }
    return new AttentionPlan(backend, block);
  }

  /** Does once what a run may not do: loads code, sets attributes. */
  synchronized void prepare() {
    if (!prepared) {
      int status;
      backend.enter();
      try {
        status = backend.library().prepare(block);
      } finally {
        backend.leave();
      }
      if (status != Abi.OK) {
        throw Failures.of(status, FoveaPlan.ERROR.get(block));
      }
      prepared = true;
    }
  }

  /** Name of the kernel that runs. */
  public String kernel() {
    return kernel;
  }

  /** Rows of one item: query positions times the query heads that share a key head. */
  public int tileQueries() {
    return FoveaPlan.TILE_QUERIES.get(block);
  }

  /** Keys that a tile takes at a time. */
  public int tileKeys() {
    return FoveaPlan.TILE_KEYS.get(block);
  }

  /** Number of phases; each begins when the one before has ended. */
  public int phases() {
    return items.length;
  }

  /** Independent pieces of work in a phase. */
  public long items(int phase) {
    return items[Objects.checkIndex(phase, items.length)];
  }

  /** Memory that all workers of a run share. */
  public long workspaceBytes() {
    return FoveaPlan.WORKSPACE_BYTES.get(block);
  }

  /** Memory that each worker of a run has for itself. */
  public long scratchBytes() {
    return FoveaPlan.SCRATCH_BYTES.get(block);
  }

  /**
   * Floating point operations: 2 Hq (D + Dv) for each pair of query and key that is not masked, 2.5
   * times that for a backward pass. An upper bound, from the longest lengths.
   */
  public double flops() {
    return FoveaPlan.FLOPS.get(block);
  }

  /** As it was resolved. */
  MemorySegment spec() {
    return FoveaPlan.SPEC.get(block);
  }

  MemorySegment block() {
    return block;
  }

  DeviceBackend backend() {
    return backend;
  }

  @Override
  public String toString() {
    return "%s on %s: tiles of %d x %d, items %s, workspace %d B, scratch %d B"
        .formatted(
            kernel,
            backend.name(),
            tileQueries(),
            tileKeys(),
            Arrays.toString(items),
            workspaceBytes(),
            scratchBytes());
  }
}
