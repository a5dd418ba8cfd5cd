package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaOptimizerSpec;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeOptimizer;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * A step of an optimizer over all parameters of a model, in place: the rule, and nothing about
 * shapes or how far to go. Immutable and thread-safe.
 *
 * <p>With g the gradient times a factor, lr the learning rate and wd the {@linkplain #weightDecay
 * weight decay}, a parameter p, its mean m and its square v become
 *
 * <pre>
 *   SGD    g = g + wd p;  m = momentum m + g;  p = p - lr m, or with nesterov p - lr (g + momentum m)
 *   AdamW  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *          p = (1 - lr wd) p - lr c1 m / (sqrt(c2 v) + epsilon),  c = 1 / (1 - beta^t) in step t
 *   Lion   p = (1 - lr wd) p - lr sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g
 * </pre>
 *
 * <p>and SGD without momentum has no m, with p = p - lr g. SGD and AdamW have the formulas of
 * PyTorch, Lion those of its authors: decay comes before the step. Arithmetic is float32 in a fixed
 * order of roundings, so that parameters have the same bits on every device.
 *
 * {@snippet :
 * OptimizerStep rule = OptimizerStep.adamw(0.9, 0.999, 1e-8).weightDecay(0.01);
 * OptimizerStepCall step = rule.call(gradient, rates, parameter).mean(mean).square(square);
 * for (long t = 1; t <= steps; t++) {
 *   // once the gradient is there
 *   rates.copyFrom(rule.rates(learningRate, t, 1));
 *   step.run();
 * }
 * }
 *
 * <p>Sources: Sutskever et al., On the importance of initialization and momentum in deep learning,
 * ICML 2013; Loshchilov and Hutter, Decoupled weight decay regularization, 2017, arXiv 1711.05101;
 * Chen et al., Symbolic discovery of optimization algorithms, 2023, arXiv 2302.06675.
 */
public final class OptimizerStep {

  /** How many numbers {@link #rates} gives. */
  public static final int RATES = 4;

  /** By the numbers of fovea.h. */
  enum Rule {
    SGD(Abi.SGD, "SGD"),
    ADAMW(Abi.ADAMW, "AdamW"),
    LION(Abi.LION, "Lion");

    private final int code;
    private final String text;

    Rule(int code, String text) {
      this.code = code;
      this.text = text;
    }
  }

  /** The fields of an {@link OptimizerStep}; a record for its equals and hashCode. */
  record Options(
      Rule rule,
      float beta1,
      float beta2,
      float epsilon,
      float weightDecay,
      boolean nesterov,
      DType outDType) // null: that of the gradient
      implements OperationSpec {
    @Override
    public NativeOperation operation() {
      return NativeOptimizer.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
      FoveaOptimizerSpec.RULE.set(spec, rule.code);
      FoveaOptimizerSpec.NESTEROV.set(spec, nesterov ? 1 : 0);
      FoveaOptimizerSpec.BETA1.set(spec, beta1);
      FoveaOptimizerSpec.BETA2.set(spec, beta2);
      FoveaOptimizerSpec.EPSILON.set(spec, epsilon);
      FoveaOptimizerSpec.WEIGHT_DECAY.set(spec, weightDecay);
    }

    boolean hasMean() {
      return rule != Rule.SGD || beta1 > 0;
    }

    boolean hasSquare() {
      return rule == Rule.ADAMW;
    }

    @Override
    public String toString() {
      StringBuilder text = new StringBuilder("OptimizerStep[").append(rule.text);
      switch (rule) {
        case SGD -> text.append(hasMean() ? ", momentum=" + beta1 : "");
        case ADAMW ->
            text.append(", beta1=%s, beta2=%s, epsilon=%s".formatted(beta1, beta2, epsilon));
        case LION -> text.append(", beta1=%s, beta2=%s".formatted(beta1, beta2));
      }
      return text.append(nesterov ? ", nesterov" : "")
          .append(weightDecay == 0 ? "" : ", weightDecay=" + weightDecay)
          .append(outDType == null ? "" : ", out=" + outDType)
          .append(']')
          .toString();
    }
  }

  private final Options options;

  private OptimizerStep(Options options) {
    this.options = options;
  }

  private static OptimizerStep of(Rule rule, float beta1, float beta2, float epsilon) {
    return new OptimizerStep(new Options(rule, beta1, beta2, epsilon, 0, false, null));
  }

  private static float within(String name, double value, float most) {
    if (!(value >= 0 && value <= most)) {
      throw new IllegalArgumentException(
          "%s is %s, expected %s"
              .formatted(name, value, most == 1 ? "0 to 1" : "0 or more, and finite"));
    }
    return (float) value;
  }

  /** Stochastic gradient descent; 0 for no momentum. */
  public static OptimizerStep sgd(double momentum) {
    return of(Rule.SGD, within("momentum", momentum, 1), 0, 0);
  }

  /** Adam with decoupled weight decay; with 0.9, 0.999 and 1e-8 as PyTorch has it. */
  public static OptimizerStep adamw(double beta1, double beta2, double epsilon) {
    return of(
        Rule.ADAMW,
        within("beta1", beta1, 1),
        within("beta2", beta2, 1),
        within("epsilon", epsilon, Float.MAX_VALUE));
  }

  /** Lion; with 0.9 and 0.99 as in the paper. */
  public static OptimizerStep lion(double beta1, double beta2) {
    return of(Rule.LION, within("beta1", beta1, 1), within("beta2", beta2, 1), 0);
  }

  /** The same with weight decay; none unless set. */
  public OptimizerStep weightDecay(double decay) {
    Options o = options;
    float weightDecay = within("weightDecay", decay, Float.MAX_VALUE);
    return new OptimizerStep(
        new Options(o.rule, o.beta1, o.beta2, o.epsilon, weightDecay, o.nesterov, o.outDType));
  }

  /**
   * The same with Nesterov's momentum.
   *
   * @throws IllegalStateException if this is not SGD with momentum
   */
  public OptimizerStep nesterov() {
    Options o = options;
    if (o.rule != Rule.SGD || !o.hasMean()) {
      throw new IllegalStateException("nesterov is for SGD with momentum, this is " + this);
    }
    return new OptimizerStep(
        new Options(o.rule, o.beta1, o.beta2, o.epsilon, o.weightDecay, true, o.outDType));
  }

  /**
   * The same with {@link OptimizerStepCall#out} in that floating type; that of the gradient unless
   * set.
   */
  public OptimizerStep outDType(DType dtype) {
    Check.floating("outDType", dtype);
    Options o = options;
    return new OptimizerStep(
        new Options(o.rule, o.beta1, o.beta2, o.epsilon, o.weightDecay, o.nesterov, dtype));
  }

  /** True if a call needs {@link OptimizerStepCall#mean}. */
  public boolean hasMean() {
    return options.hasMean();
  }

  /** True if a call needs {@link OptimizerStepCall#square}. */
  public boolean hasSquare() {
    return options.hasSquare();
  }

  /**
   * What changes from step to step, as a run reads it: learning rate, the two corrections of the
   * bias of AdamW, which are 1 for other rules, and the factor of the gradient.
   *
   * @param step from 1 on, since mean and square were 0
   * @param gradientFactor 1, or less to clip it, to undo a scale of the loss, or to make a mean of
   *     a sum of gradients
   */
  public float[] rates(double learningRate, long step, double gradientFactor) {
    if (step < 1) {
      throw new IllegalArgumentException("step is " + step + ", expected 1 or more");
    }
    boolean corrects = options.rule == Rule.ADAMW;
    return new float[] {
      (float) learningRate,
      corrects ? correction(options.beta1, step) : 1,
      corrects ? correction(options.beta2, step) : 1,
      (float) gradientFactor
    };
  }

  private static float correction(float beta, long step) {
    return (float) (1 / (1 - Math.pow(beta, step)));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: gradient [B, N],
   * rates [4] and parameter [B, N], the last two {@link DType#FLOAT32}. All parameters of a model
   * in one row, [1, N], take one call; the gradient may have any floating type. What the rule keeps
   * is set on the call. Nothing is checked before the call is planned or run.
   */
  public OptimizerStepCall call(Tensor gradient, Tensor rates, Tensor parameter) {
    return new OptimizerStepCall(this, gradient, rates, parameter, new RunMemory());
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof OptimizerStep that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(OptimizerStep.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}
