package dev.fovea.cli.attend;

import dev.fovea.ffi.NativeActivation;
import dev.fovea.ffi.NativeAdditive;
import dev.fovea.ffi.NativeAppend;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeChannel;
import dev.fovea.ffi.NativeCrossEntropy;
import dev.fovea.ffi.NativeDistance;
import dev.fovea.ffi.NativeEmbedding;
import dev.fovea.ffi.NativeLinear;
import dev.fovea.ffi.NativeMerge;
import dev.fovea.ffi.NativeNorm;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeOptimizer;
import dev.fovea.ffi.NativeProjection;
import dev.fovea.ffi.NativeRotary;
import dev.fovea.ffi.NativeSpatial;
import dev.fovea.ffi.Operand;
import java.util.List;
import java.util.function.Function;

/**
 * What {@code attend} computes. All that it reads and writes goes by the declaration; only the
 * {@link Binding} is of one alone.
 */
public enum Mechanism {
  /** Scaled dot-product attention. */
  ATTENTION(
      NativeAttention.OPERATION,
      "softmax(scale query key + bias + slope distance) value",
      AttentionBinding::new),

  /** That of Bahdanau. */
  ADDITIVE(
      NativeAdditive.OPERATION,
      "softmax(weight tanh(query + key + bias)) value",
      AdditiveBinding::new),

  /** Kernel regression by the distance of query and key. */
  DISTANCE(
      NativeDistance.OPERATION,
      "softmax(-|query - key|^2 / (2 bandwidth^2)) value",
      DistanceBinding::new),

  /** Squeeze and excitation. */
  CHANNEL(
      NativeChannel.OPERATION,
      "x sigmoid(weight2 relu(weight1 mean(x) + bias1) + bias2), the mean over H and W",
      settings -> new ChannelBinding()),

  /** That of CBAM over positions. */
  SPATIAL(
      NativeSpatial.OPERATION,
      "x sigmoid(convolution([mean(x), max(x)], weight) + bias), mean and max over C",
      settings -> new SpatialBinding()),

  /** Linear attention and retention, with gates and the delta rule. */
  LINEAR(NativeLinear.OPERATION, "phi(query) sum(exp(decay) phi(key) value)", LinearBinding::new),

  /** Attention to projected keys and values. */
  LOW_RANK(
      LowRankOperands.DECLARATION,
      "softmax(scale query (key-projection key)) (value-projection value)",
      LowRankBinding::new),

  /** That of sequences alone. */
  PROJECTION(
      NativeProjection.OPERATION,
      "sum(weight x) over the sequence",
      settings -> new ProjectionBinding()),

  /** That of queries or keys, by the positions of their rows. */
  ROTARY(
      NativeRotary.OPERATION,
      "pairs (a, b) of x become (cosines a - sines b, cosines b + sines a)",
      RotaryBinding::new),

  /** Of new keys and values to those of a cache. */
  APPEND(
      NativeAppend.OPERATION,
      "rows starts + s of key-cache and value-cache become rows s of key, rotated, and of value",
      AppendBinding::new),

  /** That of layers, or by the root mean square. */
  NORM(
      NativeNorm.OPERATION,
      "(x - mean) weight / sqrt(mean((x - mean)^2) + epsilon) + bias, the means over D",
      NormBinding::new),

  /** A function of each element, with what stands around it. */
  ACTIVATION(
      NativeActivation.OPERATION,
      "dropout(function(x + bias) gate) + residual",
      ActivationBinding::new),

  /** Rows of a table, and of one of positions. */
  EMBEDDING(
      NativeEmbedding.OPERATION,
      "rows ids of scale table, plus rows position-ids of positions",
      EmbeddingBinding::new),

  /** Losses of logits. */
  CROSS_ENTROPY(
      NativeCrossEntropy.OPERATION,
      "-log(softmax(logits)) at targets, by class-weight",
      CrossEntropyBinding::new),

  /** Of what attention gave over parts of the keys. */
  MERGE(
      NativeMerge.OPERATION,
      "sum(exp(lses - lse) outs), lse = log(sum(exp(lses)) + exp(sinks))",
      settings -> new MergeBinding()),

  /** Of the parameters of a model. */
  OPTIMIZER(
      NativeOptimizer.OPERATION,
      "one step of parameter against gradient, with its mean and square",
      OptimizerBinding::new);

  private final Declaration declaration;
  private final String formula;
  private final Function<Settings, Binding> binding;
  private final List<Operand> operands;

  Mechanism(NativeOperation operation, String formula, Function<Settings, Binding> binding) {
    this(Declaration.of(operation), formula, binding);
  }

  Mechanism(Declaration declaration, String formula, Function<Settings, Binding> binding) {
    this.declaration = declaration;
    this.formula = formula;
    this.binding = binding;
    operands = declaration.operands();
  }

  Declaration declaration() {
    return declaration;
  }

  Binding bind(Settings settings) {
    return binding.apply(settings);
  }

  /** What it computes, for people, by the names of what it reads. */
  public String formula() {
    return formula;
  }

  /** Of both passes, each once: what a forward pass writes and its backward reads is written. */
  public List<Operand> operands() {
    return operands;
  }

  /** True for what no forward pass has: the gradient of out, and those that are written. */
  public boolean isGradient(Operand operand) {
    return declaration.isGradient(operand.name());
  }

  /** True for what a backward pass reads that its forward wrote. */
  boolean isSaved(Operand operand) {
    return declaration.isSaved(operand.name());
  }

  /** True if that is an operand of it, or a number of its declaration. */
  public boolean has(String name) {
    return declaration.has(name);
  }

  /** The name under which an operand that is written goes to a file. */
  public static String result(Operand operand) {
    return Declaration.result(operand);
  }

  /** True for what comes from a file. */
  public static boolean isRead(Operand operand) {
    return !operand.written() || operand.inPlace();
  }

  /** The option that names the file of an operand. */
  public static String option(String operand) {
    return "--" + operand.replace('_', '-');
  }

  /** As the command line spells it. */
  @Override
  public String toString() {
    return declaration.name().replace('_', '-');
  }
}
