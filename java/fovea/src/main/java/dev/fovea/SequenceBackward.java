package dev.fovea;

/**
 * The backward pass of a {@link SequenceCall}: gradients that all of these have. dkey and dvalue,
 * and what else an operation says, are what {@link #accumulate} adds to. Weights bound to the call
 * have no part in it.
 *
 * @param <B> the backward pass of an operation
 */
public abstract sealed class SequenceBackward<B extends SequenceBackward<B>>
    extends OperationBackward<B>
    permits AttentionBackward, AdditiveBackward, DistanceBackward, LinearBackward {
  /**
   * {@code out} and {@code lse} are null for those of the call's last run; {@code lse} also for an
   * operation that has none.
   */
  SequenceBackward(SequenceCall<?> call, Tensor dout, Tensor out, Tensor lse, RunMemory memory) {
    super(call, dout, out == null ? null : saved(call, out, lse), memory);
  }

  private static Bindings saved(SequenceCall<?> call, Tensor out, Tensor lse) {
    Bindings saved = new Bindings(call.spec().operation()).set("out", out);
    return lse == null ? saved : saved.set("lse", lse);
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
   * Runs, with a new dense tensor in {@code scope} for each gradient of query, key and value that
   * is not set: of the type of those that are, or else of query. The new ones are not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public AttentionGradients backward(Scope scope) {
    Bindings all = runInto(scope);
    return new AttentionGradients(all.get("dquery"), all.get("dkey"), all.get("dvalue"));
  }
}
