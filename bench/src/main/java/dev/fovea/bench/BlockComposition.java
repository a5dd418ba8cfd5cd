package dev.fovea.bench;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** Attention with a block mask as libtorch has it: its own attention, with a dense mask. */
final class BlockComposition implements Composition {

  private final Tensor mask; // [S, S], true where a key is seen

  BlockComposition(BlockProblem problem) {
    int length = problem.sequence();
    boolean[][] blocks = problem.blocks();
    byte[] seen = new byte[length * length];
    for (int i = 0; i < length; i++) {
      for (int j = 0; j < length; j++) {
        boolean listed = blocks[i / BlockProblem.BLOCK][j / BlockProblem.BLOCK];
        seen[i * length + j] = (byte) (listed ? 1 : 0);
      }
    }
    TensorOptions bool = new TensorOptions(torch.ScalarType.Bool);
    mask = torch.from_blob(new BytePointer(seen), new long[] {length, length}, bool).clone();
  }

  @Override
  @SuppressWarnings("try") // it closes the tensors in between
  public Tensor compute(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor query = operands[0].transpose(1, 2);
      Tensor key = operands[1].transpose(1, 2);
      Tensor value = operands[2].transpose(1, 2);
      return Libtorch.attention(query, key, value, mask).transpose(1, 2).retainReference();
    }
  }
}
