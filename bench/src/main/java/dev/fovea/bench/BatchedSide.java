package dev.fovea.bench;

import dev.fovea.AttentionPlan;
import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.Tensor;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Pass;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A side of an operation that treats each of a batch alike, whose operands are known by name: the
 * first and the last of the batch are compared with the oracle as cases of their own, and small
 * batches as a whole. Gradients of operands that the batch shares are compared with the oracle
 * where the batch is small, elsewhere with the peer's alone.
 *
 * @param <P> the problem
 */
abstract class BatchedSide<P extends ComposedProblem> extends ComposedSide<P> {

  /** Of the first operand: the oracle takes seconds for them. */
  private static final long MOST_ELEMENTS = 1 << 22;

  private static final long DOUT_SEED = 100;

  private final Map<String, Tensor> operands = new LinkedHashMap<>();
  private final Map<String, Tensor> constants = new LinkedHashMap<>();
  private final Map<String, Tensor> gradients = new LinkedHashMap<>();
  private Tensor out;
  private Tensor dout; // null in a forward pass

  BatchedSide(P problem) {
    super(problem);
  }

  /** An operand that the composition reads, too; of the backward pass, with its gradient. */
  final Tensor operand(String name, Tensor tensor, Tensor gradient) {
    operands.put(name, tensor);
    if (isBackward()) {
      gradients.put("d" + name, gradient);
    }
    return tensor;
  }

  /** An operand that the composition knows without being given it. */
  final Tensor constant(String name, Tensor tensor) {
    constants.put(name, tensor);
    return tensor;
  }

  /** Where the result goes, and a tensor like it; to be called last: it runs the forward pass. */
  final void finish(Tensor out, Tensor dout) {
    this.out = out;
    if (isBackward()) {
      this.dout = random(dout, DOUT_SEED);
      forward(1).run();
      verify(Pass.FORWARD, Map.of("out", out));
    }
  }

  final boolean isBackward() {
    return problem().pass() == Pass.BACKWARD;
  }

  final Tensor out() {
    return out;
  }

  final Tensor operand(String name) {
    return operands.get(name);
  }

  final Tensor gradient(String name) {
    return gradients.get(name);
  }

  /** The forward call. */
  abstract OperationCall<?> forward(int threads);

  /** The backward call. */
  abstract OperationBackward<?> backward(int threads);

  /** How many the batch is of. */
  abstract int batch();

  /** Whether all of the batch read the same. */
  abstract boolean isShared(String operand);

  /** What the oracle expects of a pass over so many of the batch. */
  abstract Map<String, Expected> oracle(Pass pass, int batch, Map<String, float[]> data);

  @Override
  final Runnable work(int threads) {
    return isBackward() ? backward(threads)::run : forward(threads)::run;
  }

  @Override
  final List<Tensor> operands() {
    return List.copyOf(operands.values());
  }

  @Override
  final Tensor dout() {
    return dout;
  }

  @Override
  final List<Tensor> outputs() {
    return isBackward() ? List.copyOf(gradients.values()) : List.of(out);
  }

  @Override
  List<Tensor> saved() {
    return List.of();
  }

  @Override
  final List<AttentionPlan> plans() {
    AttentionPlan forward = forward(1).plan();
    return isBackward() ? List.of(forward, backward(1).plan()) : List.of(forward);
  }

  @Override
  final double verifyRows() {
    return isBackward()
        ? verify(Pass.BACKWARD, gradients)
        : verify(Pass.FORWARD, Map.of("out", out));
  }

  private double verify(Pass pass, Map<String, Tensor> outputs) {
    if (operands.values().iterator().next().elements() <= MOST_ELEMENTS) {
      return verify(pass, 0, batch(), outputs);
    }
    double worst = 0;
    for (int b : OracleRows.ends(batch())) {
      worst = Math.max(worst, verify(pass, b, b + 1, outputs));
    }
    return worst;
  }

  private double verify(Pass pass, int begin, int end, Map<String, Tensor> outputs) {
    Map<String, float[]> data = new HashMap<>();
    operands.forEach((name, tensor) -> data.put(name, values(name, tensor, begin, end)));
    constants.forEach((name, tensor) -> data.put(name, values(name, tensor, begin, end)));
    if (pass == Pass.BACKWARD) {
      data.put("dout", values("dout", dout, begin, end));
      data.put("out", values("out", out, begin, end));
    }
    Map<String, Expected> expected = oracle(pass, end - begin, data);
    double worst = 0;
    for (Map.Entry<String, Tensor> output : outputs.entrySet()) {
      String name = output.getKey();
      if (isShared(name.substring(1)) && end - begin < batch()) {
        continue;
      }
      String what = "%s: %s of [%d, %d)".formatted(problem(), name, begin, end);
      float[] got = values(name.substring(1), output.getValue(), begin, end);
      worst = Math.max(worst, OracleRows.compare(what, got, expected.get(name)));
    }
    return worst;
  }

  private float[] values(String operand, Tensor tensor, int begin, int end) {
    return (isShared(operand) ? tensor : tensor.slice(0, begin, end)).toFloatArray();
  }
}
