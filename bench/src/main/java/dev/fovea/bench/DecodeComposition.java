package dev.fovea.bench;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/**
 * Decoding by libtorch's attention, over keys that lie one behind another: query heads of a group
 * are rows of one head, which is faster than to repeat keys; chunks of queries are causal.
 */
final class DecodeComposition implements Composition {

  private final DecodeProblem problem;
  private final TensorOptional mask; // none for a single query
  private final DoubleOptional defaultScale = new DoubleOptional();

  DecodeComposition(DecodeProblem problem) {
    this.problem = problem;
    int queries = problem.queries();
    mask =
        queries == 1
            ? new TensorOptional()
            : new TensorOptional(
                torch
                    .ones(queries, problem.keys())
                    .tril(problem.keys() - queries)
                    .to(torch.ScalarType.Bool)
                    .repeat_interleave(problem.group(), new LongOptional(0), new LongOptional()));
  }

  @Override
  @SuppressWarnings("try") // it closes the tensors in between
  public Tensor compute(Tensor[] operands) {
    DecodeProblem p = problem;
    try (PointerScope scope = new PointerScope()) {
      long rows = (long) p.queries() * p.group();
      Tensor query =
          operands[0]
              .view(p.batch(), p.queries(), p.keyHeads(), p.group(), p.headDim())
              .permute(0, 2, 1, 3, 4)
              .reshape(p.batch(), p.keyHeads(), rows, p.headDim());
      Tensor out =
          torch.scaled_dot_product_attention(
              query,
              operands[1].transpose(1, 2),
              operands[2].transpose(1, 2),
              mask,
              0,
              false,
              defaultScale,
              false);
      return out.view(p.batch(), p.keyHeads(), p.queries(), p.group(), p.headDim())
          .permute(0, 2, 1, 3, 4)
          .reshape(p.batch(), p.queries(), (long) p.keyHeads() * p.group(), p.headDim())
          .retainReference();
    }
  }
}
