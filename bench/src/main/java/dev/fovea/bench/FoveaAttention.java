package dev.fovea.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import dev.fovea.Layout;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.bench.AttentionProblem.Order;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** A problem's operands, N(0,1), and Fovea's call over them. */
class FoveaAttention implements AutoCloseable {

  private final AttentionProblem problem;
  private final Scope scope = Scope.open(Device.cpu());
  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor out;
  private List<MemorySegment> verified;

  /** Allocates the operands of a forward pass. */
  FoveaAttention(AttentionProblem problem) {
    this.problem = problem;
    query = random(1);
    key = random(2);
    value = random(3);
    out = allocate();
  }

  /** The side of {@code problem}, whichever pass it is of. */
  static FoveaAttention of(AttentionProblem problem) {
    return problem.pass() == Pass.FORWARD
        ? new FoveaAttention(problem)
        : new FoveaBackward(problem);
  }

  /** [1, S, H, D]. */
  final Tensor allocate() {
    long s = problem.sequence();
    long h = problem.heads();
    long d = problem.headDim();
    return problem.order() == Order.BHSD
        ? scope.allocate(Layout.BHSD, problem.dtype(), 1, s, h, d)
        : scope.allocate(problem.dtype(), 1, s, h, d);
  }

  final Tensor random(long seed) {
    Gaussian random = new Gaussian(seed);
    Tensor tensor = allocate();
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = Rounding.round(problem.dtype(), random.nextNormal());
    }
    return tensor.copyFrom(values);
  }

  final AttentionProblem problem() {
    return problem;
  }

  final Scope scope() {
    return scope;
  }

  /** [1, S, H, D]. */
  final Tensor query() {
    return query;
  }

  /** [1, S, H, D]. */
  final Tensor key() {
    return key;
  }

  /** [1, S, H, D]. */
  final Tensor value() {
    return value;
  }

  /** [1, S, H, D]. */
  final Tensor out() {
    return out;
  }

  /** A forward call that writes {@link #out} with at most {@code threads} threads. */
  AttentionCall call(int threads) {
    Attention attention =
        problem.causal() ? Attention.builder().causal().build() : Attention.create();
    return attention.call(query, key, value).out(out).parallelism(threads);
  }

  /** What is timed, with at most {@code threads} threads: it writes all {@link #outputs}. */
  Runnable work(int threads) {
    return call(threads)::run;
  }

  /** What the planner chose for it. */
  AttentionPlan plan() {
    return call(1).plan();
  }

  /** What is compared, each [1, S, H, D]. */
  List<Tensor> outputs() {
    return List.of(out);
  }

  /**
   * Compares rows of the outputs with the oracle.
   *
   * @return the largest error in units of what is allowed
   */
  double verifyRows() {
    return OracleRows.verify(this);
  }

  /**
   * Does {@code work} and compares rows of its outputs with the oracle.
   *
   * @return the largest error in units of what is allowed
   */
  final double verify(Runnable work) {
    outputs().forEach(output -> output.fill(Float.NaN));
    work.run();
    double worst = verifyRows();
    verified =
        outputs().stream().map(output -> allocate().segment().copyFrom(output.segment())).toList();
    return worst;
  }

  /** Refuses outputs that have changed since {@link #verify}: not a bit may. */
  final void verifyUnchanged() {
    for (int i = 0; i < verified.size(); i++) {
      long at = verified.get(i).mismatch(outputs().get(i).segment());
      if (at >= 0) {
        throw new WrongOutputException(
            "%s: byte %d of output %d changed while it was timed".formatted(problem, at, i));
      }
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
