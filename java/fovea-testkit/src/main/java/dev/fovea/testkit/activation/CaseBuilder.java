package dev.fovea.testkit.activation;

import dev.fovea.Activation.Function;
import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.activation.ActivationCase.Content;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Makes an {@link ActivationCase} from as few words as a test needs. Defaults: float32, the forward
 * pass of gelu over two sequences of 3 rows of 8 columns, dense, nothing beside x.
 */
public final class CaseBuilder {

  DType dtype = DType.FLOAT32;
  DType outDType;
  ActivationSizes sizes = new ActivationSizes(2, 3, 8);
  Function function = Function.GELU;
  float dropout;
  long seed;
  int offset;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  int biasOffset;
  private final Set<String> given = new HashSet<>();
  private final Map<String, MatrixStyle> styles = new HashMap<>();
  private final Map<String, Integer> shared = new HashMap<>(); // dimensions of stride 0

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of x, gate and residual and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** B, S and D. */
  public CaseBuilder sizes(int batch, int length, int width) {
    sizes = new ActivationSizes(batch, length, width);
    return this;
  }

  /** What is computed. */
  public CaseBuilder function(Function of) {
    function = of;
    return this;
  }

  /** Beside x: bias, gate, residual; and the gradients that are wanted, dx, dbias and so on. */
  public CaseBuilder with(String... operands) {
    given.addAll(List.of(operands));
    return this;
  }

  /** Probability, and what it draws from. */
  public CaseBuilder dropout(float probability, long key, int step) {
    dropout = probability;
    seed = key;
    offset = step;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long of) {
    content = kind;
    dataSeed = of;
    return this;
  }

  /** Memory of an operand of rows; dense unless set. */
  public CaseBuilder style(String operand, MatrixStyle style) {
    styles.put(operand, style);
    return this;
  }

  /** An operand that is read has one row for all of a dimension, 0 or 1. */
  public CaseBuilder shared(String operand, int dimension) {
    shared.put(operand, dimension);
    return this;
  }

  /** The backward pass of the call, with gradients of that type; null for the forward pass. */
  public CaseBuilder backward(DType type) {
    gradients = type;
    return this;
  }

  /** Gradients are added to what is there. */
  public CaseBuilder accumulate() {
    accumulate = true;
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
  public ActivationCase build() {
    Map<String, Layout> layouts = new LinkedHashMap<>();
    layouts.put("x", rows("x"));
    if (given.contains("bias") || wants("dbias")) {
      layouts.put("bias", columns(biasOffset));
    }
    for (String operand : List.of("gate", "residual")) {
      if (given.contains(operand) || wants("d" + operand)) {
        layouts.put(operand, rows(operand));
      }
    }
    if (gradients == null) {
      layouts.put("out", rows("out"));
    } else {
      layouts.put("dout", rows("dout"));
      for (String gradient : List.of("dx", "dgate", "dresidual")) {
        if (given.contains(gradient)) {
          layouts.put(gradient, rows(gradient));
        }
      }
      if (wants("dbias")) {
        layouts.put("dbias", columns(biasOffset));
      }
    }
    return new ActivationCase(
        sizes,
        dtype,
        outDType == null ? dtype : outDType,
        function,
        dropout,
        seed,
        offset,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        gradients == null ? null : new Gradients(gradients, deterministic, accumulate),
        repeat);
  }

  private boolean wants(String gradient) {
    return gradients != null && given.contains(gradient);
  }

  private Layout columns(int from) {
    return Layout.withStrides(from, new long[0], sizes.width());
  }

  private Layout rows(String operand) {
    Layout layout =
        styles
            .getOrDefault(operand, MatrixStyle.DENSE)
            .layout(sizes.batch(), sizes.length(), sizes.width());
    return shared.containsKey(operand) ? layout.broadcast(shared.get(operand)) : layout;
  }
}
