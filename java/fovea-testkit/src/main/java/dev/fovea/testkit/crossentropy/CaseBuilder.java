package dev.fovea.testkit.crossentropy;

import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.crossentropy.CrossEntropyCase.Content;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Makes a {@link CrossEntropyCase} from as few words as a test needs. Defaults: float32, the
 * forward pass with lse, two sequences of 3 rows of 7 classes, dense, neither smoothing nor weights
 * nor ignored rows.
 */
public final class CaseBuilder {

  DType dtype = DType.FLOAT32;
  CrossEntropySizes sizes = new CrossEntropySizes(2, 3, 7);
  float smoothing;
  double ignored;
  boolean weights;
  boolean lse = true;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  private final Map<String, MatrixStyle> styles = new HashMap<>();
  private final Set<String> shared = new HashSet<>();

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of logits. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** B, S and V. */
  public CaseBuilder sizes(int batch, int length, int classes) {
    sizes = new CrossEntropySizes(batch, length, classes);
    return this;
  }

  /** The share of a target that all classes have alike. */
  public CaseBuilder smoothing(float share) {
    smoothing = share;
    return this;
  }

  /** The share of the rows whose target is negative. */
  public CaseBuilder ignored(double share) {
    ignored = share;
    return this;
  }

  /** Classes have weights. */
  public CaseBuilder weights() {
    weights = true;
    return this;
  }

  /** No lse is asked for; a backward pass has one always. */
  public CaseBuilder withoutLse() {
    lse = false;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of an operand; dense unless set. */
  public CaseBuilder style(String operand, MatrixStyle style) {
    styles.put(operand, style);
    return this;
  }

  /** All sequences of an operand that is read are one: a stride of 0. */
  public CaseBuilder shared(String operand) {
    shared.add(operand);
    return this;
  }

  /** The backward pass of the call, with a gradient of that type. */
  public CaseBuilder backward(DType type) {
    gradients = type;
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
  public CrossEntropyCase build() {
    Map<String, Layout> layouts = new LinkedHashMap<>();
    layouts.put("logits", logits("logits"));
    layouts.put("targets", rows("targets"));
    if (weights) {
      int offset = style("class_weight").offset();
      layouts.put("class_weight", Layout.withStrides(offset, new long[0], sizes.classes()));
    }
    boolean backward = gradients != null;
    layouts.put(backward ? "dout" : "out", rows(backward ? "dout" : "out"));
    if (lse || backward) {
      layouts.put("lse", rows("lse"));
    }
    if (backward) {
      layouts.put("dlogits", logits("dlogits"));
    }
    return new CrossEntropyCase(
        sizes,
        dtype,
        smoothing,
        ignored,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        backward ? new Gradients(gradients, deterministic, accumulate) : null,
        repeat);
  }

  private MatrixStyle style(String operand) {
    return styles.getOrDefault(operand, MatrixStyle.DENSE);
  }

  private Layout logits(String operand) {
    Layout layout = style(operand).layout(sizes.batch(), sizes.length(), sizes.classes());
    return shared.contains(operand) ? layout.broadcast(0) : layout;
  }

  private Layout rows(String operand) {
    MatrixStyle style = style(operand);
    long[] stride = {sizes.length() + style.gap()};
    Layout layout = Layout.withStrides(style.offset(), stride, sizes.batch(), sizes.length());
    if (shared.contains(operand)) {
      return layout.broadcast(0);
    }
    return style.absurd() ? layout.withAbsurdStrides() : layout;
  }
}
