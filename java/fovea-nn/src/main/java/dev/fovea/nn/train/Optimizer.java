package dev.fovea.nn.train;

import dev.fovea.DType;
import dev.fovea.OptimizerStep;
import dev.fovea.OptimizerStepCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.nn.Parameters;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Changes the parameters of a model against their gradients, by the rule of an {@link
 * OptimizerStep}. Weight decay is for {@linkplain Parameters.Group#isDecayed matrices} alone.
 */
public final class Optimizer implements AutoCloseable {
  private final Parameters parameters;
  private final OptimizerStep rule;
  private final Schedule schedule;
  private final Scope scope;
  private final Tensor rates;
  private final List<OptimizerStepCall> calls = new ArrayList<>();
  private final Map<String, Tensor> state = new LinkedHashMap<>();
  private double clipping = Double.POSITIVE_INFINITY;
  private int steps;

  /**
   * An optimiser that has taken no step yet.
   *
   * @param rule AdamW, SGD or Lion, with or without weight decay
   * @param schedule the learning rate of every step
   */
  public Optimizer(Parameters parameters, OptimizerStep rule, Schedule schedule) {
    this.parameters = parameters;
    this.rule = rule;
    this.schedule = Objects.requireNonNull(schedule, "schedule");
    scope = Scope.open(parameters.device());
    try {
      rates = scope.allocate(DType.FLOAT32, OptimizerStep.RATES);
      for (Parameters.Group group : parameters.groups()) {
        calls.add(call(group));
      }
    } catch (Throwable t) {
      scope.close();
      throw t;
    }
  }

  private OptimizerStepCall call(Parameters.Group group) {
    OptimizerStep step = group.isDecayed() ? rule : rule.weightDecay(0);
    if (group.hasCopy()) {
      step = step.outDType(group.computed().dtype());
    }
    OptimizerStepCall call = step.call(row(group.gradient()), rates, row(group.value()));
    String name = group.isDecayed() ? "matrices" : "vectors";
    if (rule.hasMean()) {
      call.mean(row(keep("mean." + name, group)));
    }
    if (rule.hasSquare()) {
      call.square(row(keep("square." + name, group)));
    }
    if (group.hasCopy()) {
      call.out(row(group.computed()));
    }
    return call;
  }

  private Tensor keep(String name, Parameters.Group group) {
    Tensor kept = scope.allocate(DType.FLOAT32, group.value().elements());
    state.put(name, kept);
    return kept;
  }

  private static Tensor row(Tensor vector) {
    return vector.reshape(1, -1);
  }

  /**
   * Gradients whose norm, over all parameters, is more than {@code most} are scaled to that
   * (Pascanu et al., On the difficulty of training recurrent neural networks, 2013, arXiv
   * 1211.5063).
   */
  public Optimizer clip(double most) {
    if (!(most > 0)) {
      throw new IllegalArgumentException("most is " + most + ", expected a number above 0");
    }
    clipping = most;
    return this;
  }

  /** Takes a step against the gradients as they are, and sets them to zero. */
  public double step() {
    return step(1);
  }

  /**
   * Takes a step, and sets the gradients to zero. If their norm is no finite number, no parameter
   * is changed and no step is counted, and the gradients stay.
   *
   * @param factor of the gradients: 1 / n where those of n batches have been added up
   * @return the norm of the gradients over all parameters, factor included, before clipping
   */
  public double step(double factor) {
    double norm = parameters.gradientNorm() * factor;
    if (!Double.isFinite(norm)) {
      return norm;
    }
    double clipped = norm > clipping ? factor * clipping / norm : factor;
    steps++;
    rates.copyFrom(rule.rates(schedule.rate(steps), steps, clipped));
    calls.forEach(OptimizerStepCall::run);
    parameters.zeroGradients();
    return norm;
  }

  /** Steps that were taken. */
  public int steps() {
    return steps;
  }

  /** The learning rate of the next step. */
  public double rate() {
    return schedule.rate(steps + 1);
  }

  Parameters parameters() {
    return parameters;
  }

  /** What it keeps from step to step, by name. */
  Map<String, Tensor> state() {
    return state;
  }

  /** Goes on behind that many steps, with what is in {@link #state} now. */
  void resume(int steps) {
    this.steps = steps;
  }

  /** Frees what it keeps. */
  @Override
  public void close() {
    scope.close();
  }
}
