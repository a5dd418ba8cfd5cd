package dev.fovea.testkit.optimizer;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaOptimizerSpec;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeOptimizer;
import dev.fovea.testkit.CaseSizes;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.OperationCase;
import dev.fovea.testkit.OperationRun;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One step of an optimizer, described completely: everything else (operands, expected outputs)
 * follows from it. Immutable; {@link CaseBuilder} and {@link CaseGenerator} make them.
 *
 * @param sizes of its tensors
 * @param dtype of gradient
 * @param outDType of out
 * @param rule that the step goes by
 * @param numbers of the rule
 * @param step from 1 on
 * @param layouts where the operands that the case has lie in memory, by their names in fovea.h
 * @param content kind of values
 * @param dataSeed of the values
 * @param guard which end of every buffer touches forbidden memory
 * @param parallelism workers asked for
 * @param repeat the command that repeats the case
 */
public record OptimizerCase(
    OptimizerSizes sizes,
    DType dtype,
    DType outDType,
    Rule rule,
    Numbers numbers,
    int step,
    Map<String, Layout> layouts,
    Content content,
    long dataSeed,
    GuardedMemory.Side guard,
    int parallelism,
    String repeat)
    implements OperationCase {

  /** What a step goes by, by the numbers of fovea.h. */
  public enum Rule {
    /** Without momentum. */
    SGD(0),
    /** SGD with momentum. */
    MOMENTUM(0),
    /** SGD with Nesterov's momentum. */
    NESTEROV(0),
    ADAMW(1),
    LION(2);

    private final int code;

    Rule(int code) {
      this.code = code;
    }

    boolean hasMean() {
      return this != SGD;
    }

    boolean hasSquare() {
      return this == ADAMW;
    }
  }

  /** Options of fovea.h; {@code beta1} is the momentum of SGD. */
  public record Numbers(float beta1, float beta2, float epsilon, float weightDecay) {}

  /** Kinds of values. */
  public enum Content {
    /** Gradients and parameters from N(0,1), states of the sizes that such gradients leave. */
    NORMAL,
    /** The same with one in a thousand values from N(0,100). */
    OUTLIERS,
    /** 1e-6 times that: gradients are subnormal in float16. */
    TINY,
    /** Subnormal in their types. */
    SUBNORMAL,
    /** Gradients and states are zeros of either sign, with a number here and there. */
    ZEROS,
    /** The largest finite number in one element of one operand, of either sign. */
    LARGEST,
    /** An infinity in one element of one operand, of either sign. */
    INFINITY,
    /** A NaN in one element of gradient: reaches that alone. */
    NAN,
    /** A NaN in rates: reaches all. */
    NAN_IN_RATES
  }

  @Override
  @SuppressWarnings("exports") // for the operations in this module
  public NativeOperation operation() {
    return NativeOptimizer.OPERATION;
  }

  @Override
  public CaseSizes caseSizes() {
    return sizes;
  }

  /** None: there is no backward pass. */
  @Override
  public Gradients gradients() {
    return null;
  }

  /** The element of an operand that belongs to a parameter. */
  int at(String operand, int row, int column) {
    return layout(operand).at(new long[] {row}) + column;
  }

  @Override
  public Map<String, Integer> sizes(int tileQueries, int tileKeys) {
    Map<String, Integer> all = new LinkedHashMap<>();
    all.put("B", sizes.batch());
    all.put("N", sizes.count());
    return all;
  }

  @Override
  public Map<String, String> features() {
    return Features.of(this);
  }

  @Override
  public Drawn draw(String device) {
    Operands data = Operands.of(this);
    return new Drawn(data.all(), expected(data));
  }

  /** What must stand in the outputs, by name: the same on every device. */
  Map<String, Expected> expected(Operands data) {
    Map<String, Expected> rounded = Rounded.run(this, data);
    Oracle.check(this, data, rounded);
    return rounded;
  }

  @Override
  public OperationRun.Bound bind(OperationRun run) {
    return OptimizerBinding.bind(this, run);
  }

  @Override
  public void fill(MemorySegment spec) {
    FoveaOptimizerSpec.RULE.set(spec, rule.code);
    FoveaOptimizerSpec.NESTEROV.set(spec, rule == Rule.NESTEROV ? 1 : 0);
    FoveaOptimizerSpec.BETA1.set(spec, numbers.beta1);
    FoveaOptimizerSpec.BETA2.set(spec, numbers.beta2);
    FoveaOptimizerSpec.EPSILON.set(spec, numbers.epsilon);
    FoveaOptimizerSpec.WEIGHT_DECAY.set(spec, numbers.weightDecay);
  }

  /** One line for people. */
  @Override
  public String toString() {
    return "optimizer %s %s%s %s %s step=%d %s guard=%s par=%d | %s"
        .formatted(
            sizes,
            dtype,
            has("out") ? "->" + outDType : "",
            rule,
            numbers,
            step,
            content,
            guard,
            parallelism,
            layouts);
  }
}
