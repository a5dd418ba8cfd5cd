package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to an {@link EmbeddingLookup}: {@link EmbeddingLookup#call} takes table and ids,
 * this what else it reads. Where the result goes is [B, S, D].
 */
public final class EmbeddingLookupCall extends OperationCall<EmbeddingLookupCall> {
  EmbeddingLookupCall(EmbeddingLookup lookup, Tensor table, Tensor ids, RunMemory memory) {
    super(
        lookup.options(),
        new Bindings(lookup.options().operation())
            .set("table", Objects.requireNonNull(table, "table"))
            .set("ids", Objects.requireNonNull(ids, "ids")),
        memory);
  }

  /**
   * A table whose rows are added, [P, D], of the type of the other. Without {@link #positionIds} it
   * has a row for each of S. Null for none.
   */
  public EmbeddingLookupCall positions(Tensor positions) {
    return bind("positions", positions);
  }

  /**
   * The rows of {@link #positions} that tokens are at, [B or 1, S], {@link DType#INT32}. Null for s
   * at row s. One that is no row is refused, or gives NaN, as an id is.
   */
  public EmbeddingLookupCall positionIds(Tensor positionIds) {
    return bind("position_ids", positionIds);
  }

  /**
   * The backward pass on the operands that are bound here. It reads nothing that a forward pass
   * wrote, so this call need not run.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public EmbeddingLookupBackward gradients(Tensor dout) {
    return new EmbeddingLookupBackward(this, dout, new RunMemory());
  }

  @Override
  long[] outShape() {
    Tensor table = operands().get("table");
    Tensor ids = operands().get("ids");
    if (table.rank() != 2 || ids.rank() != 2) {
      throw new IllegalArgumentException(
          "table is %s, ids %s, expected [V, D] and [B, S]"
              .formatted(table.description(), ids.description()));
    }
    return new long[] {ids.size(0), ids.size(1), table.size(1)};
  }
}
