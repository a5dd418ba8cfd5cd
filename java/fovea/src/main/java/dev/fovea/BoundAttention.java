package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionCall;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeLibrary;
import java.lang.foreign.MemorySegment;

/** Operands, plan and memory put together: everything a run reads, resolved once. */
final class BoundAttention implements Fanout.Work {
  /** Below this, handing items to another thread takes longer than doing them. */
  private static final double INLINE_FLOPS = 2e6;

  private final Attention.Options options;
  private final AttentionShape shape;
  private final AttentionPlan plan;
  private final NativeLibrary library;
  private final RunMemory memory;
  private final Scope[] scopes;
  private final long[] items;
  private final int workers;

  private final MemorySegment planBlock;
  private final MemorySegment query;
  private final MemorySegment key;
  private final MemorySegment value;
  private final MemorySegment bias;
  private final MemorySegment alibiSlopes;
  private final MemorySegment sinks;
  private final MemorySegment cuSeqlensQ;
  private final MemorySegment cuSeqlensK;
  private final MemorySegment queryLengths;
  private final MemorySegment keyLengths;
  private final MemorySegment out;
  private final MemorySegment lse;
  private final MemorySegment weights;

  private final Stream stream; // null where calls are done when they return
  private final MemorySegment streamHandle;

  /** Of the run in progress. */
  private long dropoutSeed;

  private int dropoutOffset;

  BoundAttention(
      Attention attention,
      AttentionOperands operands,
      Stream wanted,
      int parallelism,
      RunMemory memory) {
    options = attention.options();
    shape = operands.shape(options);
    Device device = operands.query.device();
    stream = stream(device, wanted);
    streamHandle = stream == null ? MemorySegment.NULL : stream.segment();
    plan = attention.plan(device, shape);
    plan.prepare();
    library = device.backend().library();
    scopes = operands.scopes();
    items = new long[plan.phases()];
    for (int phase = 0; phase < items.length; phase++) {
      items[phase] = plan.items(phase);
    }
    workers = workers(device, operands, parallelism);
    this.memory = memory;
    memory.ensure(device, plan, workers);
    planBlock = plan.block();
    query = AttentionOperands.segment(operands.query);
    key = AttentionOperands.segment(operands.key);
    value = AttentionOperands.segment(operands.value);
    bias = AttentionOperands.segment(operands.bias);
    alibiSlopes = AttentionOperands.segment(operands.alibiSlopes);
    sinks = AttentionOperands.segment(operands.sinks);
    cuSeqlensQ = AttentionOperands.segment(operands.cuSeqlensQ);
    cuSeqlensK = AttentionOperands.segment(operands.cuSeqlensK);
    queryLengths = AttentionOperands.segment(operands.queryLengths);
    keyLengths = AttentionOperands.segment(operands.keyLengths);
    out = AttentionOperands.segment(operands.out);
    lse = AttentionOperands.segment(operands.lse);
    weights = AttentionOperands.segment(operands.weights);
  }

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

  private int workers(Device device, AttentionOperands operands, int parallelism) {
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

  /** Runs, with helpers of {@code fanout} where there is more than one worker. */
  void run(Fanout fanout, long seed, int offset) {
    dropoutSeed = seed;
    dropoutOffset = offset;
    acquireScopes();
    try {
      if (AttentionEvent.PROBE.isEnabled()) {
        runRecorded(fanout);
      } else {
        compute(fanout);
      }
    } finally {
      releaseScopes(scopes.length);
    }
  }

  private void compute(Fanout fanout) {
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
    Graph graph = stream.capture();
    if (graph != null) {
      graph.hold(scopes, memory);
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
    return library.runAttention(
        planBlock,
        call,
        query,
        key,
        value,
        bias,
        alibiSlopes,
        sinks,
        cuSeqlensQ,
        cuSeqlensK,
        queryLengths,
        keyLengths,
        out,
        lse,
        weights,
        memory.workspace(),
        memory.scratch(worker),
        streamHandle);
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
      compute(fanout);
    } finally {
      event.end();
      if (event.shouldCommit()) {
        event.device = plan.backend().name();
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
