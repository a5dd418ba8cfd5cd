package dev.fovea;

import java.util.List;

/**
 * The backward pass of a {@link LowRankCall}: from the gradient of out those of the operands, by
 * those of projected keys and values.
 *
 * <p>With dkey' and dvalue' as {@link AttentionBackward} gives them:
 *
 * <pre>
 *   dkey_j = sum_r E_rj dkey'_r,       dvalue_j = sum_r F_rj dvalue'_r
 *   dE_rj  = sum &lt;dkey'_r, key_j&gt;,       dF_rj    = sum &lt;dvalue'_r, value_j&gt;   over sequences
 * </pre>
 *
 * <p>and over heads where these share a projection. dkey' and dvalue' are rounded to the type of
 * dquery. {@link #accumulate} adds to dE and dF alone.
 *
 * <p>Source: Wang et al., Linformer: Self-attention with linear complexity, 2020, arXiv 2006.04768.
 */
public final class LowRankBackward {
  private final LowRankCall call;
  private final LowRankOperands operands;
  private final AttentionBackward attention;
  private final Tensor dout;

  private Tensor dquery;
  private Tensor dkey;
  private Tensor dvalue;
  private Tensor dkeyProjection;
  private Tensor dvalueProjection;
  private Tensor[] dprojected; // of keys and values, the caller's; null: none
  private Tensor[] own; // likewise, for those that are not the caller's
  private boolean accumulate;

  private ProjectionBackward key; // null: something has been set since the last run
  private ProjectionBackward value;
  private long changes; // of the call, that these are of

  LowRankBackward(LowRankCall call, AttentionBackward attention, Tensor dout) {
    this.call = call;
    this.operands = call.operands();
    this.attention = attention;
    this.dout = dout;
  }

  /**
   * Where the gradient of query goes: its shape, of any floating type; here and below, the last
   * dimension is contiguous. Like all gradients it shares no element with another or with what is
   * read.
   */
  public LowRankBackward dquery(Tensor dquery) {
    Check.shape("dquery", dquery, "that of query", operands.query().rawShape());
    Check.floating("dquery", dquery);
    return set(() -> this.dquery = dquery);
  }

  /** Where the gradient of key goes: its shape, of any floating type. */
  public LowRankBackward dkey(Tensor dkey) {
    Check.shape("dkey", dkey, "that of key", operands.key().rawShape());
    Check.floating("dkey", dkey);
    return set(() -> this.dkey = dkey);
  }

  /** Where the gradient of value goes: its shape, of any floating type. */
  public LowRankBackward dvalue(Tensor dvalue) {
    Check.shape("dvalue", dvalue, "that of value", operands.value().rawShape());
    Check.floating("dvalue", dvalue);
    return set(() -> this.dvalue = dvalue);
  }

  /**
   * Where the gradient of the projection of keys goes: its shape, {@link DType#FLOAT32}. Null if it
   * is not wanted.
   */
  public LowRankBackward dkeyProjection(Tensor dprojection) {
    checkProjection("dkeyProjection", dprojection, operands.keyProjection());
    return set(() -> dkeyProjection = dprojection);
  }

  /**
   * Likewise of the projection of values. The same tensor as for keys, where both are one
   * projection, gets the sum of the two.
   */
  public LowRankBackward dvalueProjection(Tensor dprojection) {
    checkProjection("dvalueProjection", dprojection, operands.valueProjection());
    return set(() -> dvalueProjection = dprojection);
  }

  private static void checkProjection(String name, Tensor gradient, Tensor of) {
    if (gradient != null) {
      Check.shape(name, gradient, "that of the projection", of.rawShape());
      Check.dtype(name, gradient, DType.FLOAT32);
    }
  }

  /**
   * Where gradients of projected keys and values go, [B, R, Hk, D] and [B, R, Hk, Dv] of the type
   * of dquery; memory of this object's own unless set.
   */
  public LowRankBackward dprojected(Tensor dkey, Tensor dvalue) {
    operands.checkProjected("dprojected of keys", dkey, operands.key());
    operands.checkProjected("dprojected of values", dvalue, operands.value());
    return set(() -> dprojected = new Tensor[] {dkey, dvalue});
  }

  /** Whether gradients of projections are added to what is there. Off unless set. */
  public LowRankBackward accumulate(boolean accumulate) {
    return set(() -> this.accumulate = accumulate);
  }

  /** As {@link OperationBackward#deterministic}. */
  public LowRankBackward deterministic(boolean deterministic) {
    return set(() -> attention.deterministic(deterministic));
  }

  private LowRankBackward set(Runnable change) {
    call.claim().begin();
    try {
      key = null;
      change.run();
    } finally {
      call.claim().end();
    }
    return this;
  }

  /**
   * The plans that the next run uses: of attention, and of the projections of keys and of values.
   *
   * @throws RuntimeException as {@link OperationBackward#plan}
   */
  public List<AttentionPlan> plans() {
    call.claim().begin();
    try {
      bind();
      return List.of(attention.plan(), key.plan(), value.plan());
    } finally {
      call.claim().end();
    }
  }

  /**
   * Computes the gradients, as {@link OperationBackward#run}.
   *
   * @throws IllegalStateException also if dquery, dkey or dvalue is not set
   */
  public void run() {
    call.claim().begin();
    try {
      bind();
      attention.run();
      key.run();
      value.run();
    } finally {
      call.claim().end();
    }
  }

  /**
   * Runs, with a new dense tensor in {@code scope} for each gradient of query, key and value that
   * is not set: of the type of its operand. The new ones are not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public AttentionGradients backward(Scope scope) {
    Tensor[] before = {dquery, dkey, dvalue};
    dquery(orNew(scope, dquery, operands.query()));
    dkey(orNew(scope, dkey, operands.key()));
    dvalue(orNew(scope, dvalue, operands.value()));
    try {
      run();
      return new AttentionGradients(dquery, dkey, dvalue);
    } finally {
      set(
          () -> {
            dquery = before[0];
            dkey = before[1];
            dvalue = before[2];
          });
    }
  }

  private static Tensor orNew(Scope scope, Tensor gradient, Tensor of) {
    return gradient != null ? gradient : scope.allocate(of.dtype(), of.rawShape());
  }

  /** Three backward passes that are one, checked against each other. */
  private void bind() {
    if (key != null && changes == call.changes()) {
      return;
    }
    require("dquery", dquery);
    require("dkey", dkey);
    require("dvalue", dvalue);
    Tensor[] projected = dprojected;
    if (projected == null) {
      if (own == null || own[0].dtype() != dquery.dtype()) {
        own = operands.allocate(dquery.dtype());
      }
      projected = own;
    }
    boolean shared = dvalueProjection != null && dvalueProjection == dkeyProjection;
    call.saved()
        .read("dout", dout)
        .written("dquery", dquery)
        .written("dkey", dkey)
        .written("dvalue", dvalue)
        .written("dkeyProjection", dkeyProjection)
        .written("dvalueProjection", shared ? null : dvalueProjection)
        .written("dprojected of keys", projected[0])
        .written("dprojected of values", projected[1])
        .check();
    attention.dquery(dquery).dkey(projected[0]).dvalue(projected[1]);
    LowRankCall.Projections projections = call.projections(dquery.dtype());
    changes = call.changes();
    value =
        projections
            .value()
            .gradients(projected[1])
            .dx(dvalue)
            .dweight(dvalueProjection)
            .accumulate(accumulate || shared);
    key =
        projections
            .key()
            .gradients(projected[0])
            .dx(dkey)
            .dweight(dkeyProjection)
            .accumulate(accumulate);
  }

  private static void require(String name, Tensor tensor) {
    if (tensor == null) {
      throw new IllegalStateException(
          name + " is not set: set it, or let backward(scope) allocate it");
    }
  }

  /** What is bound, with shapes. */
  @Override
  public String toString() {
    return "LowRankBackward[%s of %s]".formatted(attention, call);
  }
}
