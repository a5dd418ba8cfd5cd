package dev.fovea;

/**
 * The backward pass of an {@link EmbeddingLookupCall}: from the gradient of out those of the
 * tables.
 *
 * <pre>
 *   dtable_v     = scale * the sum of dout_bs over all (b, s) with that id, 0 for v = padding
 *   dpositions_t = the sum of dout_bs over all (b, s) at that position
 * </pre>
 *
 * <p>Rows that no token is at are 0. {@link #accumulate} adds to both gradients and leaves such
 * rows, that of padding among them, as they are: the table may be that of an output layer, too.
 * Sums are in the order of (b, s): every run gives the same bits.
 *
 * <p>Neither table is read. A pass takes 2^31 - 1 ids at most.
 */
public final class EmbeddingLookupBackward extends OperationBackward<EmbeddingLookupBackward> {
  EmbeddingLookupBackward(EmbeddingLookupCall call, Tensor dout, RunMemory memory) {
    super(call, dout, null, memory);
  }

  /**
   * Where the gradient of table goes: its shape, {@link DType#FLOAT32}, with a contiguous last
   * dimension. Null if it is not wanted. It shares no element with another gradient or with what is
   * read.
   */
  public EmbeddingLookupBackward dtable(Tensor dtable) {
    return bind("dtable", dtable);
  }

  /**
   * Where the gradient of positions goes: its shape, {@link DType#FLOAT32}, with a contiguous last
   * dimension. Null if it is not wanted.
   */
  public EmbeddingLookupBackward dpositions(Tensor dpositions) {
    return bind("dpositions", dpositions);
  }

  /**
   * Runs, and returns dtable: a new dense tensor [V, D] in {@code scope} where none is set. The new
   * one is not kept.
   *
   * @throws RuntimeException as {@link #run}
   */
  public Tensor backward(Scope scope) {
    return runInto(scope).get("dtable");
  }
}
