package dev.fovea.bench;

import dev.fovea.AdditiveBackward;
import dev.fovea.AdditiveCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Tensor;
import java.util.List;

/** A backward problem: the operands of its forward pass, which has run, dout and the gradients. */
final class FoveaAdditiveBackward extends FoveaAdditive {

  private final Tensor lse;
  private final Tensor dout;
  private final Tensor dquery;
  private final Tensor dkey;
  private final Tensor dvalue;
  private final Tensor dweight;
  private final Tensor dbias;

  /** Allocates the operands, and runs and verifies the forward pass. */
  FoveaAdditiveBackward(AdditiveProblem problem) {
    super(problem);
    lse = scope().allocate(DType.FLOAT32, problem.batch(), problem.heads(), problem.queries());
    dout = random(rows(problem.queries(), problem.valueHeadDim()), 6);
    dquery = rows(problem.queries(), problem.headDim());
    dkey = rows(problem.keys(), problem.headDim());
    dvalue = rows(problem.keys(), problem.valueHeadDim());
    dweight = perHead();
    dbias = perHead();
    call(1).run();
    AdditiveOracle.verify(this);
  }

  /** [B, H, Sq], as the forward pass left it. */
  Tensor lse() {
    return lse;
  }

  @Override
  AdditiveCall call(int threads) {
    return super.call(threads).lse(lse);
  }

  private AdditiveBackward backward(int threads) {
    return call(threads)
        .gradients(dout, out(), lse)
        .dquery(dquery)
        .dkey(dkey)
        .dvalue(dvalue)
        .dweight(dweight)
        .dbias(dbias);
  }

  @Override
  Runnable work(int threads) {
    return backward(threads)::run;
  }

  @Override
  List<AttentionPlan> plans() {
    return List.of(call(1).plan(), backward(1).plan());
  }

  @Override
  Tensor dout() {
    return dout;
  }

  @Override
  List<Tensor> outputs() {
    return List.of(dquery, dkey, dvalue, dweight, dbias);
  }

  @Override
  List<Tensor> saved() {
    return List.of(out(), lse);
  }

  @Override
  double verifyRows() {
    return AdditiveOracle.verifyGradients(this);
  }
}
