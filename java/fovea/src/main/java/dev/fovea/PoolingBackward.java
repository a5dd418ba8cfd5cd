package dev.fovea;

import java.lang.foreign.Arena;

/**
 * The backward pass of a {@link PoolingCall}: from the gradient of out those of the operands. All
 * that are learned are summed over the sequences: on the device weight and bias, on the host the
 * query, in float64 in the order of the sequences and rounded once. So on a device with streams a
 * run waits for its stream, and none can be captured.
 */
public final class PoolingBackward {
  private static final long BLOCK = 1 << 20; // elements that are brought to the host at a time

  private final SequenceBackward<?> backward;
  private final Tensor query; // [H, D]
  private final Tensor queries; // of every sequence one, the same: [B, H, D]; dense [B, 1, H, D]

  private Tensor dquery;
  private Tensor dkey;
  private Tensor dvalue;
  private boolean accumulate;
  private Tensor each; // the gradients of queries; null: not needed yet

  PoolingBackward(SequenceBackward<?> backward, Tensor query, Tensor queries) {
    this.backward = backward;
    this.query = query;
    this.queries = queries;
  }

  /** Where the gradient of query goes: [H, D] of any floating type. */
  public PoolingBackward dquery(Tensor dquery) {
    Check.shape("dquery", dquery, "that of query", query.rawShape());
    Check.floating("dquery", dquery);
    this.dquery = dquery;
    return this;
  }

  /** Where the gradient of key goes: its shape, of any floating type. */
  public PoolingBackward dkey(Tensor dkey) {
    backward.dkey(dkey);
    this.dkey = dkey;
    return this;
  }

  /** Where the gradient of value goes: its shape, of the type of dkey. */
  public PoolingBackward dvalue(Tensor dvalue) {
    backward.dvalue(dvalue);
    this.dvalue = dvalue;
    return this;
  }

  /**
   * Where the gradient of an additive weight goes: [H, D] {@link DType#FLOAT32}. Null if it is not
   * wanted.
   *
   * @throws IllegalArgumentException if pooling is by a product
   */
  public PoolingBackward dweight(Tensor dweight) {
    additive("dweight").dweight(dweight);
    return this;
  }

  /**
   * Where the gradient of an additive bias goes: [H, D] {@link DType#FLOAT32}. Null if it is not
   * wanted.
   *
   * @throws IllegalArgumentException if pooling is by a product
   */
  public PoolingBackward dbias(Tensor dbias) {
    additive("dbias").dbias(dbias);
    return this;
  }

  private AdditiveBackward additive(String gradient) {
    if (backward instanceof AdditiveBackward additive) {
      return additive;
    }
    throw new IllegalArgumentException(gradient + " is set, but pooling by a product has none");
  }

  /** Whether all gradients are added to what is there. Off unless set. */
  public PoolingBackward accumulate(boolean accumulate) {
    backward.accumulate(accumulate);
    this.accumulate = accumulate;
    return this;
  }

  /** As {@link OperationBackward#deterministic}. */
  public PoolingBackward deterministic(boolean deterministic) {
    backward.deterministic(deterministic);
    return this;
  }

  /** The plan that the next run uses, as {@link OperationBackward#plan}. */
  public AttentionPlan plan() {
    bindEach();
    return backward.plan();
  }

  /**
   * Computes the gradients, as {@link OperationBackward#run}.
   *
   * @throws IllegalStateException also if dquery, dkey or dvalue is not set
   */
  public void run() {
    bindEach();
    backward.run();
    sum();
  }

  /** A gradient for each sequence, of the type that gradients have. */
  private void bindEach() {
    require("dquery", dquery);
    require("dkey", dkey);
    require("dvalue", dvalue);
    if (each == null || each.dtype() != dkey.dtype()) {
      each =
          Scope.over(Arena.ofAuto(), queries.device()).allocate(dkey.dtype(), queries.rawShape());
      backward.dquery(each);
    }
    backward.separation().read("query", query).written("dquery", dquery).check();
  }

  private static void require(String name, Tensor tensor) {
    if (tensor == null) {
      throw new IllegalStateException(name + " is not set: a backward pass writes it");
    }
  }

  private void sum() {
    long columns = query.elements();
    double[] sum = new double[Math.toIntExact(columns)];
    if (accumulate) {
      add(dquery, sum);
    }
    long rows = Math.max(1, BLOCK / Math.max(1, columns));
    for (long from = 0; from < each.size(0); from += rows) {
      add(each.slice(0, from, Math.min(each.size(0), from + rows)), sum);
    }
    dquery.copyFrom(sum);
  }

  /** Adds rows, one after the other. */
  private static void add(Tensor rows, double[] sum) {
    float[] values = rows.toFloatArray();
    for (int i = 0; i < values.length; i++) {
      sum[i % sum.length] += values[i];
    }
  }

  /** What is bound, with shapes. */
  @Override
  public String toString() {
    return "PoolingBackward[" + backward + "]";
  }
}
