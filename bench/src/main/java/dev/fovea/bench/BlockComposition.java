package dev.fovea.bench;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** Attention with a block mask as libtorch has it: its own attention, with a dense mask. */
final class BlockComposition implements Composition {

  private final TensorOptional mask; // [S, S], true where a key is seen
  private final DoubleOptional defaultScale = new DoubleOptional();

  BlockComposition(BlockProblem problem) {
    int length = problem.sequence();
    boolean[][] blocks = problem.blocks();
    byte[] seen = new byte[length * length];
    for (int i = 0; i < length; i++) {
      for (int j = 0; j < length; j++) {
        seen[i * length + j] = (byte) (blocks[i / problem.block()][j / problem.block()] ? 1 : 0);
      }
    }
    TensorOptions bool = new TensorOptions(torch.ScalarType.Bool);
    mask =
        new TensorOptional(
            torch.from_blob(new BytePointer(seen), new long[] {length, length}, bool).clone());
  }

  @Override
  @SuppressWarnings("try") // it closes the tensors in between
  public Tensor compute(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor query = operands[0].transpose(1, 2);
      Tensor key = operands[1].transpose(1, 2);
      Tensor value = operands[2].transpose(1, 2);
      return torch
          .scaled_dot_product_attention(query, key, value, mask, 0, false, defaultScale, false)
          .transpose(1, 2)
          .retainReference();
    }
  }
}
