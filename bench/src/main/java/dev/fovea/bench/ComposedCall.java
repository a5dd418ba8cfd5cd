package dev.fovea.bench;

import dev.fovea.testkit.Pass;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.InferenceMode;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The peer's side of a composed problem, over the memory that Fovea reads or, for 16-bit types, a
 * copy in float32. Forward in inference mode; backward by autograd, through a graph that is built
 * before and kept. Belongs to one thread.
 */
final class ComposedCall implements AutoCloseable {

  /** Of the peak memory, whose least counts: others in the process allocate, too. */
  private static final int PEAKS = 2;

  private final Pass pass;
  private final Composition composition;
  private final Tensor[] operands;
  private final TensorVector leaves;
  private final TensorVector douts; // null for the forward pass
  private final BoolOptional retainGraph = new BoolOptional(true);
  private TensorVector outs; // the graph; null for the forward pass

  /** Binds the operands of {@code side}; of a backward pass builds the graph. */
  ComposedCall(ComposedSide<?> side) {
    pass = side.problem().pass();
    composition = side.composition();
    operands = side.operands().stream().map(ComposedCall::float32).toArray(Tensor[]::new);
    leaves = new TensorVector(operands);
    if (pass == Pass.FORWARD) {
      douts = null;
      return;
    }
    for (Tensor operand : operands) {
      operand.set_requires_grad(true);
    }
    try (Tensor dout = float32(side.dout())) {
      douts = new TensorVector(dout);
    }
    build();
  }

  private static Tensor float32(dev.fovea.Tensor ours) {
    try (Tensor same = Libtorch.tensor(ours)) {
      return same.toType(ScalarType.Float);
    }
  }

  private void build() {
    try (Tensor out = composition.compute(operands)) {
      outs = new TensorVector(out);
    }
  }

  /** Computes into new tensors, which libtorch always does, and frees them. */
  void run() {
    compute().close();
  }

  private TensorVector compute() {
    if (pass == Pass.BACKWARD) {
      return torch.grad(outs, leaves, douts, retainGraph, false, false);
    }
    InferenceMode inference = new InferenceMode(true);
    try (Tensor out = composition.compute(operands)) {
      return new TensorVector(out);
    } finally {
      inference.close();
    }
  }

  /** The results, as {@link FoveaSide#outputs} has them. */
  List<float[]> results() {
    try (TensorVector results = compute()) {
      return Arrays.stream(results.get()).map(Libtorch::values).toList();
    }
  }

  /**
   * The most memory at once, operands left out: as {@link ComposedSide#bytes}, of a backward pass
   * with the graph that the forward pass builds.
   */
  OptionalLong peakBytes() throws Exception {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < PEAKS; i++) {
      if (outs != null) {
        outs.close();
      }
      OptionalLong peak =
          PeakMemory.of(
              () -> {
                if (pass == Pass.BACKWARD) {
                  build();
                }
                run();
              });
      if (peak.isEmpty()) {
        return peak;
      }
      least = Math.min(least, peak.getAsLong());
    }
    return OptionalLong.of(least);
  }

  @Override
  public void close() {
    if (pass == Pass.BACKWARD) {
      outs.close();
      douts.close();
    }
    leaves.close();
    for (Tensor operand : operands) {
      operand.close();
    }
  }
}
