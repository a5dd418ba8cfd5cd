package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaCall;
import dev.fovea.spi.DeviceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * What runs need besides operands: the workspace that all workers share, and for each worker its
 * call block and its scratch. Grows when a plan asks for more and is used again otherwise. Used by
 * one run at a time.
 *
 * <p>The memory lives in automatic arenas: native calls take it as segments, which keep it, so it
 * goes only when neither this object nor a run holds it.
 */
final class RunMemory {
  /** A call in a loop keeps its memory between runs only up to this size. */
  private static final long SMALL = 64L << 20;

  /** Whole at any time: what an allocation that fails would leave half done is not kept. */
  private record Blocks(
      DeviceBackend backend,
      StreamOrder order, // null where calls are done when they return
      MemorySegment workspace,
      MemorySegment[] calls,
      MemorySegment[] scratch) {
    static Blocks none(Device device, DeviceBackend backend) {
      StreamOrder order = backend.streams() == null ? null : new StreamOrder(device);
      return new Blocks(
          backend, order, MemorySegment.NULL, new MemorySegment[0], new MemorySegment[0]);
    }

    Blocks grown(AttentionPlan plan, int workers) {
      return new Blocks(
          backend,
          order,
          workspace.byteSize() < plan.workspaceBytes()
              ? allocate(plan.workspaceBytes())
              : workspace,
          calls.length < workers ? newCalls(workers) : calls,
          scratch.length < workers || scratchBytes() < plan.scratchBytes()
              ? newScratch(Math.max(workers, scratch.length), align(plan.scratchBytes()))
              : scratch);
    }

    private long scratchBytes() {
      return scratch.length == 0 ? 0 : scratch[0].byteSize();
    }

    private MemorySegment[] newScratch(int count, long bytes) {
      long each = Math.max(bytes, scratchBytes());
      return slices(allocate(Math.multiplyExact(each, count)), count, each);
    }

    private static MemorySegment[] newCalls(int count) {
      long bytes = FoveaCall.LAYOUT.byteSize();
      long each = align(bytes);
      MemorySegment all = Arena.ofAuto().allocate(each * count, Abi.ALIGNMENT);
      MemorySegment[] calls = slices(all, count, each);
      for (MemorySegment call : calls) {
        FoveaCall.SIZE.set(call, (int) bytes);
      }
      return calls;
    }

    private static MemorySegment[] slices(MemorySegment all, int count, long each) {
      MemorySegment[] slices = new MemorySegment[count];
      for (int i = 0; i < count; i++) {
        slices[i] = all.asSlice(i * each, each);
      }
      return slices;
    }

    private MemorySegment allocate(long bytes) {
      if (order == null) {
        return backend.allocate(bytes, Arena.ofAuto());
      }
      return bytes == 0 ? MemorySegment.NULL : order.allocate(bytes, Arena.ofAuto());
    }

    long bytes() {
      return workspace.byteSize() + scratchBytes() * scratch.length;
    }
  }

  private Blocks blocks; // null: no run has needed any yet
  private Stream last; // that used them
  private boolean captured;

  /**
   * Makes room for a run of {@code plan} with {@code workers} workers, or throws and has as before.
   */
  void ensure(Device device, AttentionPlan plan, int workers) {
    DeviceBackend backend = plan.backend();
    boolean moved = blocks == null || blocks.backend != backend; // of no use elsewhere
    blocks = (moved ? Blocks.none(device, backend) : blocks).grown(plan, workers);
    if (moved) {
      last = null;
    }
  }

  /** Before a run on {@code stream}: two runs in different streams must not share the memory. */
  void use(Stream stream) {
    blocks.order.use(stream);
    if (last != null) {
      stream.await(last);
    }
    last = stream;
  }

  /** What a graph must keep, because the next plan may ask for other memory. */
  List<MemorySegment> capture() {
    captured = true;
    return List.of(blocks.workspace, blocks.scratch[0]);
  }

  /** True if the memory may wait for another call. */
  boolean isReusable() {
    return !captured && (blocks == null || blocks.bytes() <= SMALL);
  }

  MemorySegment workspace() {
    return blocks.workspace;
  }

  MemorySegment call(int worker) {
    return blocks.calls[worker];
  }

  MemorySegment scratch(int worker) {
    return blocks.scratch[worker];
  }

  private static long align(long bytes) {
    return Math.addExact(bytes, Abi.ALIGNMENT - 1) & -Abi.ALIGNMENT;
  }
}
