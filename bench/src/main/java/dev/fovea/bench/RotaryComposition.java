package dev.fovea.bench;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Rotary position embedding of libtorch's operations, as models have it: half-split with tables
 * that have each column twice, made once, interleaved pair by pair.
 */
final class RotaryComposition implements Composition {

  private final boolean interleaved;
  private final Tensor cosines; // [S, 1, D], interleaved [S, 1, C]
  private final Tensor sines; // likewise

  /** Of a problem's tables, [S, C]. */
  RotaryComposition(RotaryProblem problem, dev.fovea.Tensor cosines, dev.fovea.Tensor sines) {
    interleaved = problem.interleaved();
    this.cosines = table(cosines);
    this.sines = table(sines);
  }

  @SuppressWarnings("try") // it closes the tensors in between
  private Tensor table(dev.fovea.Tensor ours) {
    try (PointerScope scope = new PointerScope()) {
      Tensor table = Libtorch.tensor(ours);
      Tensor whole = interleaved ? table : torch.cat(new TensorVector(table, table), -1);
      return whole.unsqueeze(1).retainReference();
    }
  }

  @Override
  @SuppressWarnings("try")
  public Tensor compute(Tensor[] operands) {
    try (PointerScope scope = new PointerScope()) {
      Tensor x = operands[0];
      return (interleaved ? neighbours(x) : halves(x)).retainReference();
    }
  }

  private Tensor halves(Tensor x) {
    long pairs = x.size(-1) / 2;
    Tensor first = x.narrow(-1, 0, pairs);
    Tensor second = x.narrow(-1, pairs, pairs);
    Tensor turned = torch.cat(new TensorVector(second.neg(), first), -1);
    return x.mul(cosines).add(turned.mul(sines));
  }

  private Tensor neighbours(Tensor x) {
    TensorVector elements = x.view(x.size(0), x.size(1), x.size(2), -1, 2).unbind(-1);
    Tensor first = elements.get(0);
    Tensor second = elements.get(1);
    TensorVector turned =
        new TensorVector(
            first.mul(cosines).sub(second.mul(sines)), second.mul(cosines).add(first.mul(sines)));
    return torch.stack(turned, -1).flatten(-2, -1);
  }
}
