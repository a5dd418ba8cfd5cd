package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link Merge}: {@link Merge#call} takes the parts, this what else it reads
 * and gives. Where the result goes is [B, Sq, Hq, Dv]. There is no backward pass.
 */
public final class MergeCall extends OperationCall<MergeCall> {
  MergeCall(Merge merge, Tensor outs, Tensor lses, RunMemory memory) {
    super(
        merge.options(),
        new Bindings(merge.options().operation())
            .set("outs", Objects.requireNonNull(outs, "outs"))
            .set("lses", Objects.requireNonNull(lses, "lses")),
        memory);
  }

  /**
   * Scores of a key that every row sees and that has no value, [Hq] {@link DType#FLOAT32}, as
   * {@link AttentionCall#sinks} has them; the parts must have been computed without. Null for none.
   */
  public MergeCall sinks(Tensor sinks) {
    return bind("sinks", sinks);
  }

  /**
   * Where the logarithms of the sums over all keys go: [B, Hq, Sq] {@link DType#FLOAT32}. Null if
   * they are not wanted.
   */
  public MergeCall lse(Tensor lse) {
    return bind("lse", lse);
  }

  @Override
  long[] outShape() {
    Tensor outs = operands().get("outs");
    if (outs.rank() != 5) {
      throw new IllegalArgumentException(
          "outs is %s, expected [P, B, Sq, Hq, Dv]".formatted(outs.description()));
    }
    return new long[] {outs.size(1), outs.size(2), outs.size(3), outs.size(4)};
  }
}
