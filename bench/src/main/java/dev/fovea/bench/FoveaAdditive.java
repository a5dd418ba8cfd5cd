package dev.fovea.bench;

import dev.fovea.AdditiveAttention;
import dev.fovea.AdditiveCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Layout;
import dev.fovea.Tensor;
import java.util.List;

/** A problem's operands, N(0,1), each head one dense matrix, and Fovea's call over them. */
class FoveaAdditive extends ComposedSide<AdditiveProblem> {

  private final Tensor query;
  private final Tensor key;
  private final Tensor value;
  private final Tensor weight;
  private final Tensor bias;
  private final Tensor out;

  /** Allocates the operands of a forward pass. */
  FoveaAdditive(AdditiveProblem problem) {
    super(problem);
    query = random(rows(problem.queries(), problem.headDim()), 1);
    key = random(rows(problem.keys(), problem.headDim()), 2);
    value = random(rows(problem.keys(), problem.valueHeadDim()), 3);
    weight = random(perHead(), 4);
    bias = random(perHead(), 5);
    out = rows(problem.queries(), problem.valueHeadDim());
  }

  /** [B, length, H, width]. */
  final Tensor rows(long length, long width) {
    AdditiveProblem p = problem();
    return scope().allocate(Layout.BHSD, p.dtype(), p.batch(), length, p.heads(), width);
  }

  /** [H, A]. */
  final Tensor perHead() {
    return scope().allocate(DType.FLOAT32, problem().heads(), problem().headDim());
  }

  final Tensor query() {
    return query;
  }

  final Tensor key() {
    return key;
  }

  final Tensor value() {
    return value;
  }

  final Tensor weight() {
    return weight;
  }

  final Tensor bias() {
    return bias;
  }

  final Tensor out() {
    return out;
  }

  /** A forward call that writes {@link #out} with at most {@code threads} threads. */
  AdditiveCall call(int threads) {
    return AdditiveAttention.create()
        .call(query, key, value, weight)
        .bias(bias)
        .out(out)
        .parallelism(threads);
  }

  @Override
  Runnable work(int threads) {
    return call(threads)::run;
  }

  @Override
  List<AttentionPlan> plans() {
    return List.of(call(1).plan());
  }

  @Override
  final List<Tensor> operands() {
    return List.of(query, key, value, weight, bias);
  }

  @Override
  Tensor dout() {
    return null;
  }

  @Override
  final Composition composition() {
    return new AdditiveComposition();
  }

  @Override
  List<Tensor> outputs() {
    return List.of(out);
  }

  @Override
  List<Tensor> saved() {
    return List.of();
  }

  @Override
  double verifyRows() {
    return AdditiveOracle.verify(this);
  }
}
