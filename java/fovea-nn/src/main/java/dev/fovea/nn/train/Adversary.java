package dev.fovea.nn.train;

import dev.fovea.DType;
import dev.fovea.OptimizerStep;
import dev.fovea.OptimizerStepCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import java.util.function.DoubleSupplier;

/**
 * Moves a table by {@code r = epsilon g / ||g||}, g being the gradient of a batch's loss by the
 * table, and back again (Miyato et al., Adversarial training methods for semi-supervised text
 * classification, 2016, arXiv 1605.07725, equation 5).
 */
final class Adversary implements AutoCloseable {
  private final Parameters parameters;
  private final Parameter table;
  private final double epsilon;
  private final OptimizerStep descent = OptimizerStep.sgd(0);
  private final Scope scope;
  private final Tensor value; // what the table was
  private final Tensor computed; // null: the model reads the value
  private final Tensor gradient; // of the batches before
  private final Tensor rates;
  private final OptimizerStepCall move;
  private final OptimizerStepCall sum; // of the gradients of this batch and those before

  Adversary(Parameters parameters, Parameter table, double epsilon) {
    this.parameters = parameters;
    this.table = table;
    this.epsilon = epsilon;
    boolean hasCopy = table.computed().dtype() != DType.FLOAT32;
    scope = Scope.open(parameters.device());
    try {
      value = scope.allocate(DType.FLOAT32, table.shape());
      computed = hasCopy ? scope.allocate(table.computed().dtype(), table.shape()) : null;
      gradient = scope.allocate(DType.FLOAT32, table.shape());
      rates = scope.allocate(DType.FLOAT32, OptimizerStep.RATES);
      OptimizerStep step = hasCopy ? descent.outDType(computed.dtype()) : descent;
      move = step.call(row(table.gradient()), rates, row(table.value()));
      if (hasCopy) {
        move.out(row(table.computed()));
      }
      Tensor ascent = scope.copyOf(descent.rates(-1, 1, 1), OptimizerStep.RATES);
      sum = descent.call(row(gradient), ascent, row(table.gradient()));
    } catch (Throwable t) {
      scope.close();
      throw t;
    }
  }

  private static Tensor row(Tensor tensor) {
    return tensor.reshape(1, -1);
  }

  /** Sets aside what batches before this one added to the table's gradient. */
  void begin() {
    gradient.copyFrom(table.gradient());
    table.gradient().fill(0);
  }

  /**
   * What {@code pass} gives with the table moved along the gradient of this batch. The table is
   * what it was then, bit for bit, whatever fails. NaN, and no pass, if the gradient is no finite
   * number.
   */
  double moved(DoubleSupplier pass) {
    double norm = parameters.gradientNorm(table);
    if (!Double.isFinite(norm)) {
      return Double.NaN;
    }
    value.copyFrom(table.value());
    if (computed != null) {
      computed.copyFrom(table.computed());
    }
    double loss;
    try {
      // Of next to nothing there is no direction, and 1 / norm would overflow.
      boolean isMoved = norm >= Float.MIN_NORMAL;
      rates.copyFrom(descent.rates(isMoved ? -epsilon : 0, 1, isMoved ? 1 / norm : 0));
      move.run();
      loss = pass.getAsDouble();
    } finally {
      table.value().copyFrom(value);
      if (computed != null) {
        table.computed().copyFrom(computed);
      }
    }
    sum.run();
    return loss;
  }

  @Override
  public void close() {
    scope.close();
  }
}
