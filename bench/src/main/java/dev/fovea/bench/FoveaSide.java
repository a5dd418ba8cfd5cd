package dev.fovea.bench;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Rounding;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A problem's operands, and Fovea's work over them, whose outputs are verified.
 *
 * @param <P> the problem, as texts name it
 */
abstract class FoveaSide<P> implements AutoCloseable {

  private final P problem;
  private final Scope scope = Scope.open(Device.cpu());
  private List<MemorySegment> verified;

  FoveaSide(P problem) {
    this.problem = problem;
  }

  final P problem() {
    return problem;
  }

  /** Of the operands and outputs. */
  final Scope scope() {
    return scope;
  }

  /** Fills {@code tensor} with N(0,1), exact in its type. */
  static Tensor random(Tensor tensor, long seed) {
    return random(tensor, seed, 1);
  }

  /** The same times {@code scale}. */
  static Tensor random(Tensor tensor, long seed, double scale) {
    Gaussian random = new Gaussian(seed);
    float[] values = new float[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = Rounding.round(tensor.dtype(), (float) (scale * random.nextNormal()));
    }
    return tensor.copyFrom(values);
  }

  /** What is timed, with at most {@code threads} threads: it writes all {@link #outputs}. */
  abstract Runnable work(int threads);

  /** What the planner chose for it. */
  abstract AttentionPlan plan();

  /** What is compared. */
  abstract List<Tensor> outputs();

  /**
   * Compares rows of the outputs with the oracle.
   *
   * @return the largest error in units of what is allowed
   */
  abstract double verifyRows();

  /**
   * Does {@code work} and compares rows of its outputs with the oracle.
   *
   * @return the largest error in units of what is allowed
   */
  final double verify(Runnable work) {
    outputs().forEach(output -> output.fill(Float.NaN));
    work.run();
    double worst = verifyRows();
    verified = outputs().stream().map(this::copy).toList();
    return worst;
  }

  private MemorySegment copy(Tensor output) {
    return scope.allocate(output.dtype(), output.elements()).segment().copyFrom(output.segment());
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
