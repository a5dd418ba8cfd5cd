package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaCall;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;

/** Operands, plan and memory put together: everything a run reads, resolved once. */
final class BoundRun implements Fanout.Work {
  /** Below this, handing items to another thread takes longer than doing them. */
  private static final double INLINE_FLOPS = 2e6;

  private final OperationSpec spec;
  private final AttentionPlan plan;
  private final RunMemory memory;
  private final Claim claim;
  private final Scope[] scopes;
  private final long[] items;
  private final int workers;
  private final Stream stream; // null where calls are done when they return

  private final NativeOperation operation;
  private final int pass;
  private final MemorySegment function;
  private final MemorySegment planBlock;
  private final MemorySegment[] addresses; // in the order of the operation
  private final MemorySegment streamHandle;

  /** Of the run in progress. */
  private long dropoutSeed;

  private int dropoutOffset;
  private Graph captured;

  /** {@code operands} are all that a run touches; they have been checked against each other. */
  BoundRun(OperationCall<?> call, PassOperands operands, AttentionPlan plan, RunMemory memory) {
    operands.checkWritable();
    this.spec = call.spec();
    this.plan = plan;
    this.memory = memory;
    this.claim = call.claim();
    Device device = operands.device();
    stream = stream(device, call.stream());
    streamHandle = stream == null ? device.backend().stream() : stream.segment();
    spec.prepare(plan);
    plan.prepare();
    scopes = operands.scopes();
    items = new long[plan.phases()];
    for (int phase = 0; phase < items.length; phase++) {
      items[phase] = plan.items(phase);
    }
    workers = workers(device, operands, call.parallelism());
    memory.ensure(device, plan, workers);
    planBlock = plan.block();
    operation = operands.operation();
    pass = operands.pass();
    function = device.backend().library().runFunction(operation, pass);
    addresses = operands.addresses();
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

  private int workers(Device device, PassOperands operands, int parallelism) {
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
    FoveaCall.PHASE.set(call, phase);
    FoveaCall.BEGIN.set(call, begin);
    FoveaCall.END.set(call, end);
    FoveaCall.DROPOUT_SEED.set(call, dropoutSeed);
    FoveaCall.DROPOUT_OFFSET.set(call, dropoutOffset);
    return operation.run(
        pass,
        function,
        planBlock,
        call,
        addresses,
        memory.workspace(),
        memory.scratch(worker),
        streamHandle);
  }

  private RuntimeException failure(int worker, int status) {
    return Failures.of(status, FoveaCall.ERROR.get(memory.call(worker)));
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
        event.operation = operation.name();
        event.backward = pass == Abi.BACKWARD;
        event.kernel = plan.kernel();
        event.dtype = DType.of(operation.dtype().get(plan.spec())).name();
        event.mask = spec.mask();
        event.shape = operation.describeSizes(plan.spec());
        event.workers = workers;
        event.flops = plan.flops();
        event.commit();
      }
    }
  }
}
