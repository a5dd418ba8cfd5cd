package dev.fovea.bench;

import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Tensor;
import java.util.List;

/** A backward problem: the operands of its forward pass, which has run, dout and the gradients. */
final class FoveaBackward extends FoveaAttention {

  private final Tensor lse;
  private final Tensor dout;
  private final Tensor dquery;
  private final Tensor dkey;
  private final Tensor dvalue;

  /** Allocates the operands, and runs and verifies the forward pass. */
  FoveaBackward(AttentionProblem problem) {
    super(problem);
    lse = scope().allocate(DType.FLOAT32, 1, problem.heads(), problem.sequence());
    dout = random(4);
    dquery = allocate();
    dkey = allocate();
    dvalue = allocate();
    call(1).run();
    OracleRows.verify(this);
  }

  /** [1, H, S], as the forward pass left it. */
  Tensor lse() {
    return lse;
  }

  /** [1, S, H, D]. */
  Tensor dout() {
    return dout;
  }

  /** [1, S, H, D]. */
  Tensor dquery() {
    return dquery;
  }

  /** [1, S, H, D]. */
  Tensor dkey() {
    return dkey;
  }

  /** [1, S, H, D]. */
  Tensor dvalue() {
    return dvalue;
  }

  @Override
  AttentionCall call(int threads) {
    return super.call(threads).lse(lse);
  }

  private AttentionBackward backward(int threads) {
    return call(threads).gradients(dout, out(), lse).dquery(dquery).dkey(dkey).dvalue(dvalue);
  }

  @Override
  Runnable work(int threads) {
    return backward(threads)::run;
  }

  @Override
  AttentionPlan plan() {
    return backward(1).plan();
  }

  @Override
  List<Tensor> outputs() {
    return List.of(dquery, dkey, dvalue);
  }

  @Override
  double verifyRows() {
    return OracleGradients.verify(this);
  }
}
