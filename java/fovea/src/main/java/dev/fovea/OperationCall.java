package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import dev.fovea.spi.CallAccess;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;

/**
 * Operands bound to an operation such as {@link Attention}: built once, run many times. The
 * contents of the operands may change between runs. The first run after a change of bindings checks
 * them and plans; every later one goes straight to the kernel and allocates nothing on the Java
 * heap, or for each thread beyond the caller the node of an executor's queue.
 *
 * <p>One call belongs to one thread at a time: each method claims it for as long as it takes, and
 * using it from two threads at once, setters among them, throws {@link IllegalStateException} and
 * changes nothing. Any number of calls may run at once that share attention, plan, executor and
 * tensors; those that write the same memory race with each other.
 *
 * <p>What throws changes no binding, and leaves the call as usable as it was.
 *
 * <p>The memory of a run (workspace, and scratch for each worker) belongs to this object and goes
 * with it.
 *
 * @param <C> the call of an operation
 */
public abstract sealed class OperationCall<C extends OperationCall<C>>
    permits SequenceCall,
        ProjectionCall,
        RotaryCall,
        EmbeddingLookupCall,
        CrossEntropyCall,
        MergeCall,
        CacheAppendCall,
        ChannelCall,
        SpatialCall,
        OptimizerStepCall,
        NormalizationCall,
        ActivationCall {
  static {
    CallAccess.leave(
        new CallAccess<OperationCall<?>, OperationBackward<?>, Tensor>(
            call -> call.spec().operation(),
            OperationCall::outShape,
            OperationCall::bind,
            OperationBackward::bind));
  }

  private final OperationSpec spec;
  private final Bindings operands;
  private final RunMemory memory;
  private final Claim claim = new Claim();
  private final ForwardRun lastRun = new ForwardRun();

  private Stream stream; // null: the device's own
  private Executor executor = ForkJoinPool.commonPool();
  private int parallelism = Runtime.getRuntime().availableProcessors();
  private boolean seeded;
  private long dropoutSeed;
  private int dropoutOffset;

  private BoundRun bound; // null: bindings have changed since the last run
  private long changes; // of bindings
  private Fanout fanout; // null: no executor has been used yet, or it has changed

  OperationCall(OperationSpec spec, Bindings operands, RunMemory memory) {
    this.spec = spec;
    this.operands = operands;
    this.memory = memory;
  }

  @SuppressWarnings("unchecked") // C is the class of this
  private C self() {
    return (C) this;
  }

  /**
   * Where the result goes: of the shape that the operation says.
   *
   * <p>Like all that is written it shares no element with any other operand: out over the first of
   * them is refused. Views that lie between each other, such as the three of [B, S, 3, H, D], share
   * none.
   */
  public C out(Tensor out) {
    return bind("out", out);
  }

  /**
   * The stream that runs are queued in; null for the {@linkplain Device#stream own} one of the
   * device, as it is unless set. A run in another than the run before waits for that, because they
   * share a workspace.
   */
  public C stream(Stream stream) {
    claim.begin();
    this.stream = stream;
    return bound();
  }

  /**
   * Where helpers run; the common pool unless set. A run never depends on it: the calling thread
   * works itself, and does everything if the executor is saturated or shut down, drops tasks, or
   * throws whatever it likes, an {@link Error} for want of threads included. What it throws is not
   * seen.
   */
  public C executor(Executor executor) {
    Objects.requireNonNull(executor, "executor");
    claim.begin();
    this.executor = executor;
    fanout = null;
    claim.end();
    return self();
  }

  /**
   * How many threads a run may use, the caller included; 1 keeps it on the caller. The number of
   * processors unless set. The result has the same bits for any number. Short runs and those on
   * memory confined to one thread use the caller alone.
   */
  public C parallelism(int workers) {
    if (workers < 1) {
      throw new IllegalArgumentException("parallelism is " + workers + ", expected at least 1");
    }
    claim.begin();
    parallelism = workers;
    return bound();
  }

  /**
   * The plan that the next run uses.
   *
   * @throws IllegalStateException if out is not set, or this call is running
   * @throws IllegalArgumentException if operands do not fit together, or one that is written
   *     overlaps another
   * @throws UnsupportedOperationException if the device has no kernel for this
   */
  public AttentionPlan plan() {
    claim.begin();
    try {
      return bind().plan();
    } finally {
      claim.end();
    }
  }

  /**
   * Computes. Returns when out is written; on a device with streams, when the work is in the
   * stream. While a stream is being {@linkplain Stream#capture captured}, runs become part of the
   * graph.
   *
   * @throws IllegalArgumentException if operands do not fit together, one that is written overlaps
   *     another, or lengths or offsets in them are out of range
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if out is not set, there is dropout but no {@linkplain
   *     SoftmaxCall#dropoutSeed seed}, a scope or arena is closed, or this call is already running
   * @throws WrongThreadException if an operand is confined to another thread
   * @throws FoveaException if the library or the device fails
   */
  public void run() {
    claim.begin();
    try {
      requireSeed();
      run(bind(), hasOut() ? operands.get("out") : null);
    } finally {
      claim.end();
    }
  }

  /**
   * Runs with a new dense tensor in {@code scope} in place of out, and returns that. What is bound
   * as out stays so, and stays as it is, even where nothing is; what else is written is written
   * where it is bound. A backward pass of this run reads the new tensor.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor forward(Scope scope) {
    claim.begin();
    try {
      requireSeed();
      Tensor out = newOut(scope);
      run(bind(operands.copy().set("out", out)), out);
      return out;
    } finally {
      claim.end();
    }
  }

  private BoundRun bind() {
    if (bound == null) {
      bound = bind(operands);
    }
    return bound;
  }

  /** Refuses what is not all there, in the words of a spec. */
  void checkOperands() {}

  private BoundRun bind(Bindings operands) {
    checkOperands();
    PassOperands all = operands.of(Abi.FORWARD);
    return new BoundRun(this, all, AttentionPlan.of(spec, all), memory);
  }

  /** False for an operation that writes in place alone. */
  boolean hasOut() {
    return true;
  }

  /** A dense tensor that fits as out, if the rest fits together. */
  private Tensor newOut(Scope scope) {
    DType dtype = spec.outDType() != null ? spec.outDType() : operands.first().dtype();
    boolean single = spec.operation().operand(Abi.FORWARD, "out").type() == Operand.Type.FLOAT32;
    return scope.allocate(single ? DType.FLOAT32 : dtype, outShape());
  }

  /** The operand that a backward pass takes for out. */
  String resultName() {
    return "out";
  }

  /** That of out, if operands fit together. */
  abstract long[] outShape();

  /** Binds an operand; null for none. */
  C bind(String name, Tensor tensor) {
    claim.begin();
    operands.set(name, tensor);
    return operandBound();
  }

  /** Binds one that has no part in a backward pass. */
  C bindUnseen(String name, Tensor tensor) {
    claim.begin();
    operands.set(name, tensor);
    return bound();
  }

  /** Binds two of which none is without the other; null for none. */
  C bindBoth(String name, Tensor tensor, String other, Tensor second) {
    setBoth(name, tensor, other, second);
    return operandBound();
  }

  /** Binds two such that have no part in a backward pass. */
  C bindBothUnseen(String name, Tensor tensor, String other, Tensor second) {
    setBoth(name, tensor, other, second);
    return bound();
  }

  private void setBoth(String name, Tensor tensor, String other, Tensor second) {
    if ((tensor == null) != (second == null)) {
      String given = PassOperands.javaName(tensor == null ? other : name);
      String absent = PassOperands.javaName(tensor == null ? name : other);
      throw new IllegalArgumentException(given + " is given without " + absent);
    }
    claim.begin();
    operands.set(name, tensor);
    operands.set(other, second);
  }

  private void run(BoundRun bound, Tensor out) {
    lastRun.forget(); // one that fails may leave half of an out
    runBound(bound, dropoutSeed, dropoutOffset);
    lastRun.ended(out, bound.captured(), dropoutSeed, dropoutOffset);
  }

  /** Runs this, or its backward pass, while the claim is held. */
  void runBound(BoundRun bound, long seed, int offset) {
    if (bound.workers() > 1 && fanout == null) {
      fanout = new Fanout(executor);
    }
    bound.run(fanout, seed, offset);
  }

  /** The same mask in every run would be no dropout, and nobody would see it. */
  void requireSeed() {
    if (!seeded && spec.dropout() > 0) {
      throw new IllegalStateException(
          "there is dropout but no seed: set dropoutSeed, or give forward one, anew for each step;"
              + " eval() is the same without dropout");
    }
  }

  /** Ends a change of what a run is made of. */
  private C bound() {
    bound = null;
    changes++;
    claim.end();
    return self();
  }

  /** Ends a change of what forward and backward pass must have in common. */
  C operandBound() {
    lastRun.forget();
    return bound();
  }

  /** What dropout draws from. */
  C seed(long seed, int offset) {
    claim.begin();
    dropoutSeed = seed;
    dropoutOffset = offset;
    seeded = true;
    claim.end();
    return self();
  }

  /** What was bound while this had another value is out of date. */
  long changes() {
    return changes;
  }

  long dropoutSeed() {
    return dropoutSeed;
  }

  int dropoutOffset() {
    return dropoutOffset;
  }

  Claim claim() {
    return claim;
  }

  ForwardRun lastRun() {
    return lastRun;
  }

  OperationSpec spec() {
    return spec;
  }

  Bindings operands() {
    return operands;
  }

  /** Null for the device's own. */
  Stream stream() {
    return stream;
  }

  int parallelism() {
    return parallelism;
  }

  /** The operation and what is bound, with shapes. */
  @Override
  public String toString() {
    return "%s[%s, %s]".formatted(getClass().getSimpleName(), spec, operands);
  }
}
