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
  private final MemorySegment stream;

  /** Of the run in progress. */
  private long dropoutSeed;

  private int dropoutOffset;

  BoundAttention(
      Attention attention, AttentionOperands operands, int parallelism, RunMemory memory) {
    options = attention.options();
    shape = operands.shape(options);
    Device device = operands.query.device();
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
    memory.ensure(plan, workers);
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
    stream = device.backend().stream();
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
        runItems(fanout);
      }
    } finally {
      releaseScopes(scopes.length);
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
        stream);
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
      runItems(fanout);
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
