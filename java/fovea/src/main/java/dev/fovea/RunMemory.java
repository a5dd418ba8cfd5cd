package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionCall;
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

  private DeviceBackend backend;
  private StreamOrder order; // null where calls are done when they return
  private Stream last; // that used this memory
  private boolean captured;
  private MemorySegment workspace = MemorySegment.NULL;
  private MemorySegment[] calls = {};
  private MemorySegment[] scratch = {};
  private long scratchBytes;

  /** Makes room for a run of {@code plan} with {@code workers} workers. */
  void ensure(Device device, AttentionPlan plan, int workers) {
    if (backend != plan.backend()) { // memory of another device is of no use
      backend = plan.backend();
      order = backend.streams() == null ? null : new StreamOrder(device);
      last = null;
      workspace = MemorySegment.NULL;
      scratch = new MemorySegment[0];
      scratchBytes = 0;
    }
    if (workspace.byteSize() < plan.workspaceBytes()) {
      workspace = allocate(plan.workspaceBytes());
    }
    if (calls.length < workers) {
      calls = new MemorySegment[workers];
      long size = align(FoveaAttentionCall.LAYOUT.byteSize());
      MemorySegment all = Arena.ofAuto().allocate(size * workers, Abi.ALIGNMENT);
      for (int worker = 0; worker < workers; worker++) {
        calls[worker] = all.asSlice(worker * size, FoveaAttentionCall.LAYOUT.byteSize());
        FoveaAttentionCall.SIZE.set(calls[worker], (int) FoveaAttentionCall.LAYOUT.byteSize());
      }
    }
    if (scratch.length < workers || scratchBytes < plan.scratchBytes()) {
      scratchBytes = Math.max(scratchBytes, align(plan.scratchBytes()));
      scratch = new MemorySegment[Math.max(workers, scratch.length)];
      MemorySegment all = allocate(Math.multiplyExact(scratchBytes, scratch.length));
      for (int worker = 0; worker < scratch.length; worker++) {
        scratch[worker] = all.asSlice(worker * scratchBytes, scratchBytes);
      }
    }
  }

  private MemorySegment allocate(long bytes) {
    if (order == null) {
      return backend.allocate(bytes, Arena.ofAuto());
    }
    return bytes == 0 ? MemorySegment.NULL : order.allocate(bytes, Arena.ofAuto());
  }

  /** Before a run on {@code stream}: two runs in different streams must not share the memory. */
  void use(Stream stream) {
    order.use(stream);
    if (last != null) {
      stream.await(last);
    }
    last = stream;
  }

  /** What a graph must keep, because the next plan may ask for other memory. */
  List<MemorySegment> capture() {
    captured = true;
    return List.of(workspace, scratch[0]);
  }

  /** True if the memory may wait for another call. */
  boolean isReusable() {
    return !captured && isSmall();
  }

  private boolean isSmall() {
    return workspace.byteSize() + scratchBytes * scratch.length <= SMALL;
  }

  MemorySegment workspace() {
    return workspace;
  }

  MemorySegment call(int worker) {
    return calls[worker];
  }

  MemorySegment scratch(int worker) {
    return scratch[worker];
  }

  private static long align(long bytes) {
    return Math.addExact(bytes, Abi.ALIGNMENT - 1) & -Abi.ALIGNMENT;
  }
}
