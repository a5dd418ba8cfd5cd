package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionCall;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import java.lang.foreign.MemorySegment;

/**
 * Operands, plan and memory put together: everything a run reads, resolved once. A subclass knows
 * the native function, and the operands that it alone takes.
 */
abstract class BoundAttention implements Fanout.Work {
  /** Below this, handing items to another thread takes longer than doing them. */
  private static final double INLINE_FLOPS = 2e6;

  private final Attention.Options options;
  private final AttentionShape shape;
  private final AttentionPlan plan;
  private final RunMemory memory;
  private final Claim claim;
  private final Scope[] scopes;
  private final long[] items;
  private final int workers;
  private final Stream stream; // null where calls are done when they return

  final NativeLibrary library;
  final MemorySegment planBlock;
  final MemorySegment query;
  final MemorySegment key;
  final MemorySegment value;
  final MemorySegment bias;
  final MemorySegment alibiSlopes;
  final MemorySegment sinks;
  final MemorySegment cuSeqlensQ;
  final MemorySegment cuSeqlensK;
  final MemorySegment queryLengths;
  final MemorySegment keyLengths;
  final MemorySegment out;
  final MemorySegment lse;
  final MemorySegment streamHandle;

  /** Of the run in progress. */
  private long dropoutSeed;

  private int dropoutOffset;
  private Graph captured;

  /**
   * {@code operands} are all that a run touches, {@code forward} those of the forward pass; they
   * and {@code shape} have been checked against each other.
   */
  BoundAttention(
      AttentionCall call,
      OperandSet operands,
      AttentionOperands forward,
      AttentionShape shape,
      AttentionPlan plan,
      RunMemory memory) {
    operands.checkWritable();
    this.options = call.attention().options();
    this.shape = shape;
    this.plan = plan;
    this.memory = memory;
    this.claim = call.claim();
    Device device = forward.query.device();
    stream = stream(device, call.stream());
    streamHandle = stream == null ? device.backend().stream() : stream.segment();
    plan.prepare();
    library = device.backend().library();
    scopes = operands.scopes();
    items = new long[plan.phases()];
    for (int phase = 0; phase < items.length; phase++) {
      items[phase] = plan.items(phase);
    }
    workers = workers(device, operands, call.parallelism());
    memory.ensure(device, plan, workers);
    planBlock = plan.block();
    query = OperandSet.segment(forward.query);
    key = OperandSet.segment(forward.key);
    value = OperandSet.segment(forward.value);
    bias = OperandSet.segment(forward.bias);
    alibiSlopes = OperandSet.segment(forward.alibiSlopes);
    sinks = OperandSet.segment(forward.sinks);
    cuSeqlensQ = OperandSet.segment(forward.cuSeqlensQ);
    cuSeqlensK = OperandSet.segment(forward.cuSeqlensK);
    queryLengths = OperandSet.segment(forward.queryLengths);
    keyLengths = OperandSet.segment(forward.keyLengths);
    out = OperandSet.segment(forward.out);
    lse = OperandSet.segment(forward.lse);
  }

  /** The downcall. Returns a status of {@link Abi}. */
  abstract int compute(MemorySegment call, MemorySegment workspace, MemorySegment scratch);

  private static Stream stream(Device device, Stream wanted) {
    if (wanted == null) {
      return device.backend().streams() == null ? null : device.stream();
    }
    if (wanted.device().backend() != device.backend()) {
      throw new IllegalArgumentException(
          "stream is %s, expected one of the device of query, %s".formatted(wanted, device));
    }
    return wanted;
  }

  private int workers(Device device, OperandSet operands, int parallelism) {
    long most = 1;
    for (long count : items) {
      most = Math.max(most, count);
    }
    boolean alone =
        plan.flops() < INLINE_FLOPS
            // A device has its own threads; memory confined to this thread is closed to others.
            || FoveaDeviceInfo.KIND.get(device.backend().info()) != Abi.DEVICE_CPU
            || !operands.accessibleByAll();
    return alone ? 1 : (int) Math.min(most, Math.min(parallelism, Fanout.MAX_WORKERS));
  }

  AttentionPlan plan() {
    return plan;
  }

  int workers() {
    return workers;
  }

  /** The graph that the last run is in, or null. */
  Graph captured() {
    return captured;
  }

  /** Runs, with helpers of {@code fanout} where there is more than one worker. */
  void run(Fanout fanout, long seed, int offset) {
    dropoutSeed = seed;
    dropoutOffset = offset;
    acquireScopes();
    try {
      if (AttentionEvent.PROBE.isEnabled()) {
        runRecorded(fanout);
      } else {
        runInStream(fanout);
      }
    } finally {
      releaseScopes(scopes.length);
    }
  }

  private void runInStream(Fanout fanout) {
    if (stream == null) {
      runItems(fanout);
      return;
    }
    stream.acquire();
    try {
      orderWork();
      plan.backend().enter();
      try {
        runItems(fanout);
      } finally {
        plan.backend().leave();
      }
    } finally {
      stream.release();
    }
  }

  /** Nothing that a capture sees may wait for work outside of it. */
  private void orderWork() {
    captured = stream.capture();
    if (captured != null) {
      captured.hold(scopes, memory, claim);
    } else if (!stream.isCapturedElsewhere()) {
      for (Scope scope : scopes) {
        scope.order().use(stream);
      }
      memory.use(stream);
    }
  }

  private void runItems(Fanout fanout) {
    if (workers > 1) {
      int failed = fanout.run(this, items, workers);
      if (failed >= 0) {
        throw failure(failed, fanout.failedStatus());
      }
      return;
    }
    for (int phase = 0; phase < items.length; phase++) {
      if (items[phase] > 0) {
        int status = run(0, phase, 0, items[phase]);
        if (status != Abi.OK) {
          throw failure(0, status);
        }
      }
    }
  }

  @Override
  public int run(int worker, int phase, long begin, long end) {
    MemorySegment call = memory.call(worker);
    FoveaAttentionCall.PHASE.set(call, phase);
    FoveaAttentionCall.BEGIN.set(call, begin);
    FoveaAttentionCall.END.set(call, end);
    FoveaAttentionCall.DROPOUT_SEED.set(call, dropoutSeed);
    FoveaAttentionCall.DROPOUT_OFFSET.set(call, dropoutOffset);
    return compute(call, memory.workspace(), memory.scratch(worker));
  }

  private RuntimeException failure(int worker, int status) {
    return Failures.of(status, FoveaAttentionCall.ERROR.get(memory.call(worker)));
  }

  private void acquireScopes() {
    int acquired = 0;
    try {
      while (acquired < scopes.length) {
        scopes[acquired].acquire();
        acquired++;
      }
    } finally {
      if (acquired < scopes.length) {
        releaseScopes(acquired);
      }
    }
  }

  private void releaseScopes(int count) {
    for (int i = 0; i < count; i++) {
      scopes[i].release();
    }
  }

  private void runRecorded(Fanout fanout) {
    AttentionEvent event = new AttentionEvent();
    event.begin();
    try {
      runInStream(fanout);
    } finally {
      event.end();
      if (event.shouldCommit()) {
        event.device = plan.backend().name();
        event.backward = plan.isBackward();
        event.kernel = plan.kernel();
        event.dtype = shape.dtype().name();
        event.mask = options.mask();
        event.packed = shape.packed();
        event.batch = shape.batch();
        event.queryLength = shape.queryLength();
        event.keyLength = shape.keyLength();
        event.queryHeads = shape.queryHeads();
        event.keyHeads = shape.keyHeads();
        event.headDim = shape.headDim();
        event.valueHeadDim = shape.valueHeadDim();
        event.workers = workers;
        event.flops = plan.flops();
        event.commit();
      }
    }
  }
}
