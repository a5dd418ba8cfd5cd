package dev.fovea.testkit.optimizer;

import dev.fovea.DType;
import dev.fovea.OptimizerStep;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.optimizer.OptimizerCase.Content;
import dev.fovea.testkit.optimizer.OptimizerCase.Numbers;
import dev.fovea.testkit.optimizer.OptimizerCase.Rule;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes an {@link OptimizerCase} from as few words as a test needs. Defaults: AdamW with its usual
 * numbers, step 3, float32, two rows of 21 parameters without gaps, no out.
 */
public final class CaseBuilder {

  DType dtype = DType.FLOAT32;
  DType outDType; // null: that of gradient
  boolean out;
  OptimizerSizes sizes = new OptimizerSizes(2, 21);
  Rule rule = Rule.ADAMW;
  Numbers numbers = new Numbers(0.9f, 0.999f, 1e-8f, 0.01f);
  int step = 3;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  boolean sharedGradient; // by all rows
  String repeat = "hand-written case";
  private final Map<String, MatrixStyle> styles = new HashMap<>();

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of gradient. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** With an out of that type. */
  public CaseBuilder out(DType type) {
    out = true;
    outDType = type;
    return this;
  }

  /** B and N. */
  public CaseBuilder sizes(int batch, int count) {
    sizes = new OptimizerSizes(batch, count);
    return this;
  }

  /** What the step goes by, with its usual numbers. */
  public CaseBuilder rule(Rule by) {
    rule = by;
    return this;
  }

  /** Other numbers. */
  public CaseBuilder numbers(float beta1, float beta2, float epsilon, float weightDecay) {
    numbers = new Numbers(beta1, beta2, epsilon, weightDecay);
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Where rows of an operand lie; without gaps unless set. */
  public CaseBuilder style(String operand, MatrixStyle style) {
    styles.put(operand, style);
    return this;
  }

  /** The end of every buffer that touches forbidden memory. */
  public CaseBuilder guard(Side side) {
    guard = side;
    return this;
  }

  /** Workers asked for. */
  public CaseBuilder parallelism(int workers) {
    parallelism = workers;
    return this;
  }

  /** The finished case. */
  public OptimizerCase build() {
    Map<String, Layout> layouts = new LinkedHashMap<>();
    put(layouts, "gradient");
    layouts.put("rates", Layout.withStrides(0, new long[0], OptimizerStep.RATES));
    put(layouts, "parameter");
    if (rule.hasMean()) {
      put(layouts, "mean");
    }
    if (rule.hasSquare()) {
      put(layouts, "square");
    }
    if (out) {
      put(layouts, "out");
    }
    if (sharedGradient) {
      layouts.computeIfPresent("gradient", (name, layout) -> layout.broadcast(0));
    }
    return new OptimizerCase(
        sizes,
        dtype,
        outDType == null ? dtype : outDType,
        rule,
        rule == Rule.SGD ? new Numbers(0, 0, 0, numbers.weightDecay()) : numbers,
        step,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        repeat);
  }

  private void put(Map<String, Layout> layouts, String operand) {
    MatrixStyle style = styles.getOrDefault(operand, MatrixStyle.DENSE);
    long[] stride = {sizes.count() + style.gap()};
    Layout layout = Layout.withStrides(style.offset(), stride, sizes.batch(), sizes.count());
    layouts.put(operand, style.absurd() ? layout.withAbsurdStrides() : layout);
  }
}
