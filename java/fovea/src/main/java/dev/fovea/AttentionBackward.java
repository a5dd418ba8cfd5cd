package dev.fovea;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The backward pass of an {@link AttentionCall}: from the gradient of out those of the operands.
 *
 * <p>With x, lse and p = exp(x - lse) as in {@link Attention}, r what dropout multiplies a weight
 * by, and delta_i = &lt;dout_i, out_i&gt;:
 *
 * <pre>
 *   dvalue_j = sum_i r_ij p_ij dout_i
 *   ds_ij    = p_ij (r_ij &lt;dout_i, value_j&gt; - delta_i)
 *   t_ij     = scale * ds_ij, times 1 - tanh(scale * &lt;q_i, k_j&gt; / softcap)^2 with a softcap
 *   dquery_i = sum_j t_ij key_j,  dkey_j = sum_i t_ij query_i
 *   dbias_ij = ds_ij,  dslope = sum_ij ds_ij * distance_ij
 *   dsink    = -sum_i exp(sink - lse_i) delta_i
 * </pre>
 *
 * <p>dkey and dvalue are summed over the query heads that share a key head. Padding, and queries
 * that see no key, have gradients of zero.
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
 * <p>Source: Dao, 2023, arXiv 2307.08691, section 3.1.2.
 */
public final class AttentionBackward {
  private final AttentionCall call;
  private final Claim claim;
  private final Tensor out; // null: that of the call's last run
  private final Tensor lse; // likewise
  private final BackwardOperands operands;
  private final RunMemory memory;

  private BoundAttention bound; // null: something has been set since the last run
  private long bindings; // of the call, that operands are of

  /** {@code out} and {@code lse} are null for those of the call's last run. */
  AttentionBackward(AttentionCall call, Tensor dout, Tensor out, Tensor lse, RunMemory memory) {
    this.call = call;
    this.claim = call.claim();
    this.out = out;
    this.lse = lse;
    this.operands = new BackwardOperands(call.operands(), Objects.requireNonNull(dout, "dout"));
    this.bindings = -1; // its operands are followed when they are first needed
    this.memory = memory;
  }

  /** Another gradient of out: its shape and element type. */
  public AttentionBackward dout(Tensor dout) {
    Objects.requireNonNull(dout, "dout");
    claim.begin();
    operands.dout = dout;
    return bound();
  }

  /**
   * Where the gradient of query goes: its shape, of any floating type. Those of query, key and
   * value have one type; here and below, the last dimension is contiguous. Null for {@link
   * #gradients} to make one.
   *
   * <p>No gradient shares an element with another or with what is read: dquery over query, or over
   * dout, is refused. Views that lie between each other, such as the three of a gradient of [B, S,
   * 3, H, D], share none.
   */
  public AttentionBackward dquery(Tensor dquery) {
    claim.begin();
    operands.dquery = dquery;
    return bound();
  }

  /** Where the gradient of key goes: its shape, of the type of dquery. Null as there. */
  public AttentionBackward dkey(Tensor dkey) {
    claim.begin();
    operands.dkey = dkey;
    return bound();
  }

  /** Where the gradient of value goes: its shape, of the type of dquery. Null as there. */
  public AttentionBackward dvalue(Tensor dvalue) {
    claim.begin();
    operands.dvalue = dvalue;
    return bound();
  }

  /**
   * Where the gradient of the bias goes: its shape, {@link DType#FLOAT32}. A dimension that the
   * bias is broadcast over, of size 1 or missing, is summed over. Null if it is not wanted.
   */
  public AttentionBackward dbias(Tensor dbias) {
    claim.begin();
    operands.dbias = dbias;
    return bound();
  }

  /**
   * Where the gradient of the ALiBi slopes goes: their shape, [Hq] or [B, Hq], {@link
   * DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dalibiSlopes(Tensor dalibiSlopes) {
    claim.begin();
    operands.dalibiSlopes = dalibiSlopes;
    return bound();
  }

  /**
   * Where the gradient of the sinks goes: [Hq], {@link DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dsinks(Tensor dsinks) {
    claim.begin();
    operands.dsinks = dsinks;
    return bound();
  }

  /**
   * Whether dkey and dvalue are added to what is there, instead of replacing it: for keys and
   * values that several calls share. Off unless set.
   */
  public AttentionBackward accumulate(boolean accumulate) {
    claim.begin();
    operands.accumulate = accumulate;
    return bound();
  }

  /**
   * Whether every run is to give the same bits, which a device may pay for with time or memory. Off
   * unless set; the CPU always gives them.
   */
  public AttentionBackward deterministic(boolean deterministic) {
    claim.begin();
    operands.deterministic = deterministic;
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
      follow();
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
      follow();
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
      follow();
      BackwardOperands all = operands.allocated(scope);
      run(bind(all));
      return new AttentionGradients(all.dquery, all.dkey, all.dvalue);
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

  /** Takes the operands of the forward pass that this is of, where they have changed. */
  private void follow() {
    AttentionOperands forward = call.operands();
    Tensor ran = call.lastRun().out();
    Tensor wanted = !isOfCall() ? out : ran != null ? ran : forward.out;
    if (bindings != call.bindings() || operands.forward.out != wanted) {
      operands.forward = forward.with(wanted, isOfCall() ? forward.lse : lse);
      bindings = call.bindings();
      bound = null;
    }
  }

  private BoundAttention bind() {
    if (bound == null) {
      bound = bind(operands);
    }
    return bound;
  }

  private BoundAttention bind(BackwardOperands all) {
    all.requireSet();
    Attention attention = call.attention();
    AttentionShape shape = all.forward.shape(attention.options());
    Device device = all.forward.query.device();
    AttentionPlan plan = attention.planBackward(device, shape, all.shape());
    return new BoundAttention(call, all, shape, plan, memory);
  }

  private void run(BoundAttention bound) {
    if (isOfCall()) {
      call.runBound(bound, call.lastRun().seed(), call.lastRun().offset());
    } else {
      call.runBound(bound, call.dropoutSeed(), call.dropoutOffset());
    }
  }

  /** Ends a change. */
  private AttentionBackward bound() {
    bound = null;
    claim.end();
    return this;
  }

  /** The call, and what is bound here, with shapes. */
  @Override
  public String toString() {
    Map<String, Tensor> own = new LinkedHashMap<>();
    own.put("dout", operands.dout);
    own.put("out", out);
    own.put("lse", lse);
    own.putAll(operands.written());
    return "AttentionBackward[" + OperandSet.describe(own) + " of " + call + ']';
  }
}
