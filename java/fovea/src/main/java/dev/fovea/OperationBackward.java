package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeOperation;
import java.util.Objects;

/**
 * The backward pass of an {@link OperationCall}: from the gradient of out those of the operands.
 *
 * <p>It is of the last run of its call, or of a forward pass that ran {@linkplain
 * AttentionCall#gradients(Tensor, Tensor, Tensor) elsewhere}: it reads the operands that are bound
 * to the call when it runs, and out and lse as that pass left them; draws from the seed of dropout
 * that the last run drew from, or else from the call's; and uses the call's stream, executor and
 * parallelism. Weights bound to the call have no part in it.
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
    permits AttentionBackward {
  private final OperationCall<?> call;
  private final Claim claim;
  private final Tensor out; // null: that of the call's last run
  private final Tensor lse; // likewise
  private final Bindings own; // dout, and the gradients
  private final RunMemory memory;
  private boolean accumulate;
  private boolean deterministic;

  private BoundRun bound; // null: something has been set since the last run
  private long changes = -1; // of the call's bindings, that `bound` is of
  private Tensor boundOut; // likewise

  /** {@code out} and {@code lse} are null for those of the call's last run. */
  OperationBackward(OperationCall<?> call, Tensor dout, Tensor out, Tensor lse, RunMemory memory) {
    this.call = call;
    this.claim = call.claim();
    this.out = out;
    this.lse = lse;
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
   * Where the gradient of query goes: its shape, of any floating type. Those of query, key and
   * value have one type; here and below, the last dimension is contiguous. Null for {@link
   * #backward} to make one.
   *
   * <p>No gradient shares an element with another or with what is read: dquery over query, or over
   * dout, is refused. Views that lie between each other, such as the three of a gradient of [B, S,
   * 3, H, D], share none.
   */
  public B dquery(Tensor dquery) {
    return bind("dquery", dquery);
  }

  /** Where the gradient of key goes: its shape, of the type of dquery. Null as there. */
  public B dkey(Tensor dkey) {
    return bind("dkey", dkey);
  }

  /** Where the gradient of value goes: its shape, of the type of dquery. Null as there. */
  public B dvalue(Tensor dvalue) {
    return bind("dvalue", dvalue);
  }

  /**
   * Whether dkey and dvalue are added to what is there, instead of replacing it: for keys and
   * values that several calls share. Off unless set.
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
   * @throws IllegalStateException if a gradient of query, key or value is not set, the call has no
   *     out or lse, or either is running
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
   *     this is of a forward pass elsewhere; if a gradient of query, key or value is not set, the
   *     call has no lse, a scope or arena is closed, or call or backward pass is already running
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

  /**
   * Runs, with a new dense tensor in {@code scope} for each gradient of query, key and value that
   * is not set: of the type of those that are, or else of query. The new ones are not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public AttentionGradients backward(Scope scope) {
    claim.begin();
    try {
      requireForward();
      Bindings all = operands().allocateGradients(scope);
      run(bind(all));
      return new AttentionGradients(all.get("dquery"), all.get("dkey"), all.get("dvalue"));
    } finally {
      claim.end();
    }
  }

  private boolean isOfCall() {
    return out == null;
  }

  private void requireForward() {
    if (isOfCall()) {
      call.lastRun().require();
    } else {
      call.requireSeed();
    }
  }

  /** The out that a run reads. */
  private Tensor out() {
    Tensor ran = call.lastRun().out();
    return !isOfCall() ? out : ran != null ? ran : call.operands().get("out");
  }

  /** Those of the forward pass that this is of, and its own. */
  private Bindings operands() {
    Bindings all = call.operands().copy().set("out", out());
    return (isOfCall() ? all : all.set("lse", lse)).set(own);
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
            });
    return new BoundRun(call, all, plan, memory);
  }

  /** Binds a gradient; null for none. */
  B bind(String name, Tensor tensor) {
    claim.begin();
    own.set(name, tensor);
    return bound();
  }

  private void run(BoundRun bound) {
    if (isOfCall()) {
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
    Bindings here = isOfCall() ? own : own.copy().set("out", out).set("lse", lse);
    return "%s[%s of %s]".formatted(getClass().getSimpleName(), here, call);
  }
}
