package dev.fovea.bench;

import dev.fovea.bench.ModifierProblem.Modifier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * The same as a user of libtorch writes it: its own attention, with a dense mask from what is
 * learned, or with gates around it. Distances are made once.
 */
final class ModifierComposition implements Composition {

  private final ModifierProblem problem;
  private final DoubleOptional defaultScale = new DoubleOptional();
  private final Tensor mask; // [S, S], true where a key is seen; null for none
  private final Tensor buckets; // [S * S], columns of the table; null for none
  private final Tensor keys; // [S], their positions
  private final Tensor left; // [S, S], how far a key is to the left
  private final Tensor behind; // [S, S], true where that is less than nothing

  /**
   * Of the problem's constants.
   *
   * @param seen [S, S], or null
   * @param bucketOf [S, S], or null
   */
  ModifierComposition(ModifierProblem problem, byte[] seen, long[] bucketOf) {
    this.problem = problem;
    long length = problem.sequence();
    TensorOptions bool = new TensorOptions(torch.ScalarType.Bool);
    TensorOptions index = new TensorOptions(torch.ScalarType.Long);
    TensorOptions number = new TensorOptions(torch.ScalarType.Float);
    mask =
        seen == null
            ? null
            : torch.from_blob(new BytePointer(seen), new long[] {length, length}, bool).clone();
    buckets =
        bucketOf == null
            ? null
            : torch
                .from_blob(new LongPointer(bucketOf), new long[] {length * length}, index)
                .clone();
    keys = torch.arange(new Scalar(length), number);
    left = keys.unsqueeze(1).sub(keys.unsqueeze(0));
    behind = left.lt(new Scalar(0));
  }

  @Override
  @SuppressWarnings("try") // it closes the tensors in between
  public Tensor compute(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Modifier modifier = problem.modifier();
      Tensor value = operands[2].transpose(1, 2);
      if (modifier == Modifier.KEY_GATES) {
        value = value.mul(operands[3].sigmoid().unsqueeze(-1));
      }
      Tensor out =
          torch
              .scaled_dot_product_attention(
                  query(operands).transpose(1, 2),
                  operands[1].transpose(1, 2),
                  value,
                  added(operands),
                  0,
                  false,
                  defaultScale,
                  false)
              .transpose(1, 2);
      if (modifier == Modifier.OUTPUT_GATES) {
        out = out.mul(operands[3].sigmoid());
      }
      return out.retainReference();
    }
  }

  /** With the content bias, if there is one. */
  private Tensor query(Tensor[] operands) {
    boolean biased = problem.modifier() == Modifier.POSITIONS;
    return biased ? operands[0].add(operands[3]) : operands[0];
  }

  /**
   * Scores by distance, as the code of Transformer-XL has them: products of queries with keys of
   * all distances, the farthest first, each row of which is shifted to the left by what it is short
   * of the last one. A column of zeros and another number of columns to a row do that, and leave
   * behind the diagonal what a causal mask hides.
   */
  private Tensor positions(Tensor[] operands) {
    long length = problem.sequence();
    long heads = problem.heads();
    Tensor queries = operands[0].add(operands[4]).transpose(1, 2);
    Tensor keys = operands[5].flip(0).permute(1, 2, 0);
    Tensor products = queries.matmul(keys).mul(new Scalar(1 / Math.sqrt(problem.headDim())));
    Tensor shifted =
        torch
            .constant_pad_nd(products, new long[] {1, 0}, new Scalar(0))
            .view(1, heads, length + 1, length)
            .narrow(2, 1, length);
    return shifted.masked_fill(behind, new Scalar(Double.NEGATIVE_INFINITY));
  }

  /** What libtorch's attention takes as a mask. */
  private TensorOptional added(Tensor[] operands) {
    long length = problem.sequence();
    return switch (problem.modifier()) {
      case MASK, IMAGE_WINDOW -> new TensorOptional(mask);
      case RELATIVE ->
          new TensorOptional(
              operands[3].index_select(1, buckets).view(1, problem.heads(), length, length));
      case ALIBI, WRITTEN ->
          new TensorOptional(
              operands[3]
                  .view(problem.heads(), -1)
                  .narrow(1, 0, 1)
                  .unsqueeze(-1)
                  .mul(left.abs().neg())
                  .unsqueeze(0));
      case GAUSSIAN ->
          new TensorOptional(
              keys.sub(operands[3].unsqueeze(-1))
                  .pow(new Scalar(2))
                  .mul(new Scalar(-0.5 / (ModifierProblem.SIGMA * ModifierProblem.SIGMA))));
      case SPAN ->
          new TensorOptional(
              operands[3]
                  .unsqueeze(-1)
                  .sub(left)
                  .add(new Scalar(ModifierProblem.RAMP))
                  .mul(new Scalar(1 / ModifierProblem.RAMP))
                  .clamp(new ScalarOptional(new Scalar(0)), new ScalarOptional(new Scalar(1)))
                  .log());
      case POSITIONS -> new TensorOptional(positions(operands));
      case KEY_GATES, OUTPUT_GATES -> new TensorOptional();
    };
  }
}
