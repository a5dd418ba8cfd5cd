package dev.fovea.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.bench.AttentionProblem.Order;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Rounding;
import java.lang.foreign.MemorySegment;

/** A problem's operands, N(0,1), and Fovea's call over them. */
final class FoveaAttention implements AutoCloseable {

  private final AttentionProblem problem;
  private final Scope scope = Scope.open(Device.cpu());
  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor out;
  private final MemorySegment verified;

  /** Allocates the operands. */
  FoveaAttention(AttentionProblem problem) {
    this.problem = problem;
    query = random(1);
    key = random(2);
    value = random(3);
    out = allocate();
    verified = allocate().segment();
  }

  private Tensor allocate() {
    long s = problem.sequence();
    long h = problem.heads();
    long d = problem.headDim();
    return problem.order() == Order.BHSD
        ? scope.allocate(problem.dtype(), 1, h, s, d).permute(0, 2, 1, 3)
        : scope.allocate(problem.dtype(), 1, s, h, d);
  }

  private Tensor random(long seed) {
    Gaussian random = new Gaussian(seed);
    Tensor tensor = allocate();
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = Rounding.round(problem.dtype(), random.nextNormal());
    }
    return tensor.copyFrom(values);
  }

  AttentionProblem problem() {
    return problem;
  }

  /** [1, S, H, D]. */
  Tensor query() {
    return query;
  }

  /** [1, S, H, D]. */
  Tensor key() {
    return key;
  }

  /** [1, S, H, D]. */
  Tensor value() {
    return value;
  }

  /** [1, S, H, D]. */
  Tensor out() {
    return out;
  }

  /** A call that writes {@link #out} with at most {@code threads} threads. */
  AttentionCall call(int threads) {
    Attention attention =
        problem.causal() ? Attention.builder().causal().build() : Attention.create();
    return attention.call(query, key, value).out(out).parallelism(threads);
  }

  /** What the planner chose. */
  AttentionPlan plan() {
    return call(1).plan();
  }

  /**
   * Runs {@code call} and compares rows of its output with the oracle.
   *
   * @return the largest error in units of what is allowed
   */
  double verify(AttentionCall call) {
    out.fill(Float.NaN);
    call.run();
    double worst = OracleRows.verify(this);
    verified.copyFrom(out.segment());
    return worst;
  }

  /** Refuses an output that has changed since {@link #verify}: not a bit may. */
  void verifyUnchanged() {
    long at = verified.mismatch(out.segment());
    if (at >= 0) {
      throw new WrongOutputException(
          problem + ": byte " + at + " of the output changed while it was timed");
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
