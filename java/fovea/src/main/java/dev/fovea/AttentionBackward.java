package dev.fovea;

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
 * <p>It reads the operands that are bound to the call when it runs, among them out and lse, as the
 * forward pass left them, and uses the call's seed and offset of dropout, which must be those of
 * that pass, its stream, executor and parallelism. Weights bound to the call have no part in it.
 *
 * <p>Call and backward pass belong to one thread at a time, together: using either while one of
 * them runs throws {@link IllegalStateException}. As for a call, the first run after a change of
 * bindings checks and plans, and every later one allocates nothing on the Java heap. The memory of
 * its runs belongs to this object: keep it for the next step.
 *
 * {@snippet :
 * AttentionCall call = attention.call(query, key, value).out(out).lse(lse);
 * AttentionBackward backward = call.backward(dout).dquery(dquery).dkey(dkey).dvalue(dvalue);
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
  private final BackwardOperands operands;
  private final RunMemory memory;

  private BoundBackward bound; // null: something has been set since the last run
  private long bindings; // of the call, that bound is of

  AttentionBackward(AttentionCall call, Tensor dout, RunMemory memory) {
    this.call = call;
    this.operands = new BackwardOperands(call.operands(), Objects.requireNonNull(dout, "dout"));
    this.memory = memory;
  }

  /** Another gradient of out: its shape and element type. */
  public AttentionBackward dout(Tensor dout) {
    change();
    operands.dout = Objects.requireNonNull(dout, "dout");
    return this;
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
    change();
    operands.dquery = dquery;
    return this;
  }

  /** Where the gradient of key goes: its shape, of the type of dquery. Null as there. */
  public AttentionBackward dkey(Tensor dkey) {
    change();
    operands.dkey = dkey;
    return this;
  }

  /** Where the gradient of value goes: its shape, of the type of dquery. Null as there. */
  public AttentionBackward dvalue(Tensor dvalue) {
    change();
    operands.dvalue = dvalue;
    return this;
  }

  /**
   * Where the gradient of the bias goes: its shape, {@link DType#FLOAT32}. A dimension that the
   * bias is broadcast over, of size 1 or missing, is summed over. Null if it is not wanted.
   */
  public AttentionBackward dbias(Tensor dbias) {
    change();
    operands.dbias = dbias;
    return this;
  }

  /**
   * Where the gradient of the ALiBi slopes goes: their shape, [Hq] or [B, Hq], {@link
   * DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dalibiSlopes(Tensor dalibiSlopes) {
    change();
    operands.dalibiSlopes = dalibiSlopes;
    return this;
  }

  /**
   * Where the gradient of the sinks goes: [Hq], {@link DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dsinks(Tensor dsinks) {
    change();
    operands.dsinks = dsinks;
    return this;
  }

  /**
   * Whether dkey and dvalue are added to what is there, instead of replacing it: for keys and
   * values that several calls share. Off unless set.
   */
  public AttentionBackward accumulate(boolean accumulate) {
    change();
    operands.accumulate = accumulate;
    return this;
  }

  /**
   * Whether every run is to give the same bits, which a device may pay for with time or memory. Off
   * unless set; the CPU always gives them.
   */
  public AttentionBackward deterministic(boolean deterministic) {
    change();
    operands.deterministic = deterministic;
    return this;
  }

  /**
   * The plan that the next run uses.
   *
   * @throws IllegalStateException if a gradient of query, key or value is not set, the call has no
   *     out or lse, or either is running
   * @throws IllegalArgumentException if operands do not fit together, a gradient overlaps another
   *     operand, or one is wanted of what the call does not have
   * @throws UnsupportedOperationException if the device has no kernel for this
   */
  public AttentionPlan plan() {
    call.begin();
    try {
      return bind().plan();
    } finally {
      call.end();
    }
  }

  /**
   * Computes the gradients. Returns when they are written; on a device with streams, when the work
   * is in the stream. While a stream is being {@linkplain Stream#capture captured}, runs become
   * part of the graph.
   *
   * @throws IllegalStateException if a gradient of query, key or value is not set, the call has no
   *     out or lse, a scope or arena is closed, or call or backward pass is already running
   * @throws IllegalArgumentException if operands do not fit together, a gradient overlaps another
   *     operand or is wanted of what the call does not have, or lengths or offsets are out of range
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws WrongThreadException if an operand is confined to another thread
   * @throws FoveaException if the library or the device fails
   */
  public void run() {
    call.begin();
    try {
      call.runBound(bind());
    } finally {
      call.end();
    }
  }

  /**
   * Runs, with a new dense tensor in {@code scope} for each gradient of query, key and value that
   * is not set: of the type of those that are, or else of query. The new ones are not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public AttentionGradients gradients(Scope scope) {
    call.begin();
    try {
      BackwardOperands all = operands.allocated(scope);
      call.runBound(bind(all));
      return new AttentionGradients(all.dquery, all.dkey, all.dvalue);
    } finally {
      call.end();
    }
  }

  private BoundBackward bind() {
    if (bound == null || bindings != call.bindings()) {
      bound = bind(operands);
      bindings = call.bindings();
    }
    return bound;
  }

  private BoundBackward bind(BackwardOperands all) {
    all.requireSet();
    Attention attention = call.attention();
    AttentionShape shape = call.operands().shape(attention.options());
    Device device = call.operands().query.device();
    AttentionPlan plan = attention.planBackward(device, shape, all.shape());
    return new BoundBackward(call, all, shape, plan, memory);
  }

  private void change() {
    call.requireIdle();
    bound = null;
  }
}
