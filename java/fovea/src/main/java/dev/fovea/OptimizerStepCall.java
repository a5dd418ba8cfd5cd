package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to an {@link OptimizerStep}: a run takes one step, and changes parameter, mean and
 * square where they are. There is no backward pass.
 *
 * <p>Rates are read by the run, so that one call, or a graph that it was captured in, takes all
 * steps. A run that fails may have stepped some of the parameters.
 */
public final class OptimizerStepCall extends OperationCall<OptimizerStepCall> {
  private final OptimizerStep step;

  OptimizerStepCall(
      OptimizerStep step, Tensor gradient, Tensor rates, Tensor parameter, RunMemory memory) {
    super(
        step.options(),
        new Bindings(step.options().operation())
            .set("gradient", Objects.requireNonNull(gradient, "gradient"))
            .set("rates", Objects.requireNonNull(rates, "rates"))
            .set("parameter", Objects.requireNonNull(parameter, "parameter")),
        memory);
    this.step = step;
  }

  /** Another gradient. */
  public OptimizerStepCall gradient(Tensor gradient) {
    return bind("gradient", Objects.requireNonNull(gradient, "gradient"));
  }

  /**
   * The momentum of SGD, or the mean of gradients: the shape of parameter, {@link DType#FLOAT32}, 0
   * before the first step. For rules that {@linkplain OptimizerStep#hasMean have} one; null for
   * none.
   */
  public OptimizerStepCall mean(Tensor mean) {
    return bind("mean", mean);
  }

  /**
   * The mean of squares of gradients, likewise, of rules that {@linkplain OptimizerStep#hasSquare
   * have} it.
   */
  public OptimizerStepCall square(Tensor square) {
    return bind("square", square);
  }

  /**
   * Where the new parameter goes as well, rounded to the type of the gradient or that which the
   * step has been {@linkplain OptimizerStep#outDType given}: what a model of mixed precision
   * computes with. Its shape; null for nowhere, as it is unless set.
   */
  @Override
  public OptimizerStepCall out(Tensor out) {
    return super.out(out);
  }

  /**
   * Takes a step, with a new dense tensor in {@code scope} in place of out, and returns that: the
   * new parameter, rounded.
   *
   * @throws RuntimeException as {@link #run}
   */
  @Override
  public Tensor forward(Scope scope) {
    return super.forward(scope);
  }

  @Override
  void checkOperands() {
    check("mean", step.hasMean());
    check("square", step.hasSquare());
  }

  private void check(String state, boolean wanted) {
    boolean there = operands().get(state) != null;
    if (there != wanted) {
      throw new IllegalStateException(
          wanted
              ? "%s is not set: %s keeps one".formatted(state, step)
              : "%s is set, but %s keeps none".formatted(state, step));
    }
  }

  @Override
  long[] outShape() {
    return operands().get("parameter").rawShape();
  }
}
