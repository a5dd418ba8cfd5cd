package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * The backward pass of an {@link OperationCall}: from the gradient of out those of the operands.
 *
 * <p>It is of the last run of its call, or of a forward pass that ran {@linkplain
 * AttentionCall#gradients(Tensor, Tensor, Tensor) elsewhere}: it reads the operands that are bound
 * to the call when it runs, and what it needs of that pass as that left it; draws from the seed of
 * dropout that the last run drew from, or else from the call's; and uses the call's stream,
 * executor and parallelism.
 *
 * <p>Call and backward pass belong to one thread at a time, together: using either while another
 * thread uses one of them throws {@link IllegalStateException} and changes nothing. What throws
 * changes no binding. As for a call, the first run after a change of bindings checks and plans, and
 * every later one allocates nothing on the Java heap. The memory of its runs belongs to this
 * object: keep it for the next step.
 *
 * {@snippet :
 * AttentionCall call = attention.call(query, key, value).out(out).lse(lse);
 * AttentionBackward backward = call.gradients(dout).dquery(dquery).dkey(dkey).dvalue(dvalue);
 * for (int step = 0; step < steps; step++) {
 *   call.dropoutSeed(seed, step).run();
 *   backward.run(); // once dout is there
 * }
 * }
 *
 * @param <B> the backward pass of an operation
 */
public abstract sealed class OperationBackward<B extends OperationBackward<B>>
    permits SequenceBackward,
        ProjectionBackward,
        RotaryBackward,
        NormalizationBackward,
        ActivationBackward,
        EmbeddingLookupBackward,
        CrossEntropyBackward,
        ChannelBackward,
        SpatialBackward {
  private final OperationCall<?> call;
  private final Claim claim;
  private final Bindings saved; // by a forward elsewhere; null: by the call's last run
  private final Bindings own; // dout, and the gradients
  private final RunMemory memory;
  private boolean accumulate;
  private boolean deterministic;

  private BoundRun bound; // null: something has been set since the last run
  private long changes = -1; // of the call's bindings, that `bound` is of
  private Tensor boundOut; // likewise

  /** {@code saved} has what a forward elsewhere wrote; null for what the call's last run did. */
  OperationBackward(OperationCall<?> call, Tensor dout, Bindings saved, RunMemory memory) {
    this.call = call;
    this.claim = call.claim();
    this.saved = saved;
    this.own =
        new Bindings(call.spec().operation()).set("dout", Objects.requireNonNull(dout, "dout"));
    this.memory = memory;
  }

  @SuppressWarnings("unchecked") // B is the class of this
  private B self() {
    return (B) this;
  }

  /** Another gradient of out: its shape and element type. */
  public B dout(Tensor dout) {
    return bind("dout", Objects.requireNonNull(dout, "dout"));
  }

  /**
   * Whether gradients of what several calls may share, which an operation names, are added to what
   * is there, instead of replacing it. Off unless set.
   */
  public B accumulate(boolean accumulate) {
    claim.begin();
    this.accumulate = accumulate;
    return bound();
  }

  /**
   * Whether every run is to give the same bits, which a device may pay for with time or memory. Off
   * unless set; the CPU always gives them.
   */
  public B deterministic(boolean deterministic) {
    claim.begin();
    this.deterministic = deterministic;
    return bound();
  }

  /**
   * The plan that the next run uses. The call need not have run.
   *
   * @throws IllegalStateException if a gradient that must be is not set, the call has not all that
   *     this reads, or either is running
   * @throws IllegalArgumentException if operands do not fit together, a gradient overlaps another
   *     operand, or one is wanted of what the call does not have
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
   * Computes the gradients. Returns when they are written; on a device with streams, when the work
   * is in the stream. While a stream is being {@linkplain Stream#capture captured}, runs become
   * part of the graph.
   *
   * @throws IllegalStateException if the call has not run since an operand was bound to it, unless
   *     this is of a forward pass elsewhere or reads nothing of one; if a gradient that must be is
   *     not set, the call has not all that this reads, a scope or arena is closed, or call or
   *     backward pass is already running
   * @throws IllegalArgumentException if operands do not fit together, a gradient overlaps another
   *     operand or is wanted of what the call does not have, or lengths or offsets are out of range
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws WrongThreadException if an operand is confined to another thread
   * @throws FoveaException if the library or the device fails
   */
  public void run() {
    claim.begin();
    try {
      requireForward();
      run(bind());
    } finally {
      claim.end();
    }
  }

  /** Runs with new dense tensors in {@code scope} for gradients that {@code backward} gives. */
  Bindings runInto(Scope scope) {
    claim.begin();
    try {
      requireForward();
      Bindings all = operands().allocateGradients(scope);
      run(bind(all));
      return all;
    } finally {
      claim.end();
    }
  }

  private boolean isOfCall() {
    return saved == null;
  }

  private void requireForward() {
    if (isOfCall() && call.spec().operation().saves()) {
      call.lastRun().require();
    }
    if (!isOfRun()) {
      call.requireSeed();
    }
  }

  /** Whether it draws what a run of the call drew. */
  private boolean isOfRun() {
    return isOfCall() && call.lastRun().out() != null;
  }

  /** The out that a run reads, if it reads one. */
  private Tensor out() {
    if (!isOfCall()) {
      return saved.get("out");
    }
    String name = call.resultName();
    if (!name.equals("out") && call.operands().get(name) == null) {
      throw new IllegalStateException(
          name + " of the call is not set: a backward pass reads what its forward wrote");
    }
    Tensor ran = name.equals("out") ? call.lastRun().out() : null;
    return ran != null ? ran : call.operands().get(name);
  }

  /** Those of the forward pass that this is of, and its own. */
  private Bindings operands() {
    Bindings all = call.operands().copy().set("out", out());
    return (isOfCall() ? all : all.set(saved)).set(own);
  }

  /** The operands of a run, for one more that is written beside them: a run checks its own. */
  Separation separation() {
    Separation separation = new Separation();
    operands().of(Abi.BACKWARD).all().forEach(it -> separation.read(it.name(), it.tensor()));
    return separation;
  }

  private BoundRun bind() {
    if (bound == null || changes != call.changes() || boundOut != out()) {
      bound = null;
      bound = bind(operands());
      changes = call.changes();
      boundOut = out();
    }
    return bound;
  }

  private BoundRun bind(Bindings operands) {
    PassOperands all = operands.of(Abi.BACKWARD);
    NativeOperation operation = all.operation();
    AttentionPlan plan =
        AttentionPlan.of(
            call.spec(),
            all,
            spec -> {
              operation.accumulate().set(spec, accumulate ? 1 : 0);
              operation.deterministic().set(spec, deterministic ? 1 : 0);
              fill(spec);
            });
    return new BoundRun(call, all, plan, memory);
  }

  /** Sets the fields of options that only this pass has, which are zero before. */
  void fill(MemorySegment spec) {}

  /** Changes what {@link #fill} sets. */
  B change(Runnable setter) {
    claim.begin();
    setter.run();
    return bound();
  }

  /** Binds a gradient; null for none. */
  B bind(String name, Tensor tensor) {
    claim.begin();
    own.set(name, tensor);
    return bound();
  }

  private void run(BoundRun bound) {
    if (isOfRun()) {
      call.runBound(bound, call.lastRun().seed(), call.lastRun().offset());
    } else {
      call.runBound(bound, call.dropoutSeed(), call.dropoutOffset());
    }
  }

  /** Ends a change. */
  private B bound() {
    bound = null;
    claim.end();
    return self();
  }

  /** The call, and what is bound here, with shapes. */
  @Override
  public String toString() {
    Bindings here = isOfCall() ? own : own.copy().set(saved);
    return "%s[%s of %s]".formatted(getClass().getSimpleName(), here, call);
  }
}
