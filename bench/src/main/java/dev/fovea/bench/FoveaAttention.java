package dev.fovea.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.Layout;
import dev.fovea.Tensor;
import dev.fovea.bench.AttentionProblem.Order;
import dev.fovea.testkit.Pass;
import java.util.List;

/** A problem's operands, N(0,1), and Fovea's call over them. */
class FoveaAttention extends FoveaSide<AttentionProblem> {

  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor out;

  /** Allocates the operands of a forward pass. */
  FoveaAttention(AttentionProblem problem) {
    super(problem);
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
    AttentionProblem problem = problem();
    long s = problem.sequence();
    long h = problem.heads();
    long d = problem.headDim();
    return problem.order() == Order.BHSD
        ? scope().allocate(Layout.BHSD, problem.dtype(), 1, s, h, d)
        : scope().allocate(problem.dtype(), 1, s, h, d);
  }

  /** [1, S, H, D], N(0,1). */
  final Tensor random(long seed) {
    return random(allocate(), seed);
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
        problem().causal() ? Attention.builder().causal().build() : Attention.create();
    return attention.call(query, key, value).out(out).parallelism(threads);
  }

  @Override
  Runnable work(int threads) {
    return call(threads)::run;
  }

  @Override
  AttentionPlan plan() {
    return call(1).plan();
  }

  /** Each [1, S, H, D]. */
  @Override
  List<Tensor> outputs() {
    return List.of(out);
  }

  @Override
  double verifyRows() {
    return OracleRows.verify(this);
  }
}
