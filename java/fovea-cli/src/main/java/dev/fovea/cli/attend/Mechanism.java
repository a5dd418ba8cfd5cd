package dev.fovea.cli.attend;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeAdditive;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeChannel;
import dev.fovea.ffi.NativeDistance;
import dev.fovea.ffi.NativeLinear;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeSpatial;
import dev.fovea.ffi.Operand;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
  LINEAR(NativeLinear.OPERATION, "phi(query) sum(exp(decay) phi(key) value)", LinearBinding::new);

  private final NativeOperation table;
  private final String formula;
  private final Function<Settings, Binding> binding;
  private final List<Operand> operands;

  Mechanism(NativeOperation table, String formula, Function<Settings, Binding> binding) {
    this.table = table;
    this.formula = formula;
    this.binding = binding;
    Map<String, Operand> all = new LinkedHashMap<>();
    table.operands(Abi.FORWARD).forEach(it -> all.put(it.name(), it));
    table.operands(Abi.BACKWARD).forEach(it -> all.putIfAbsent(it.name(), it));
    operands = new ArrayList<>(all.values());
  }

  NativeOperation table() {
    return table;
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
    return table.isGradient(operand.name());
  }

  /** True for what a backward pass reads that its forward wrote. */
  boolean isSaved(Operand operand) {
    return table.isSaved(operand.name());
  }

  /** True if that is an operand of it, or a number of its declaration. */
  public boolean has(String name) {
    return table.operandNames().contains(name)
        || table.spec().memberLayouts().stream()
            .anyMatch(member -> member.name().filter(name::equals).isPresent());
  }

  /** The option that names the file of an operand. */
  public static String option(String operand) {
    return "--" + operand.replace('_', '-');
  }

  /** As the command line spells it. */
  @Override
  public String toString() {
    return table.name().replace('_', '-');
  }
}
