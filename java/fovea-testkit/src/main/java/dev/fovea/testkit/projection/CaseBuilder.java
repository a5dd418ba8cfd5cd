package dev.fovea.testkit.projection;

import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.projection.ProjectionCase.Content;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes a {@link ProjectionCase} from as few words as a test needs. Defaults: float32, the forward
 * pass, one sequence of 6 positions to a rank of 3, one head of 8 columns, dense, a weight for each
 * head; a backward pass gives all gradients.
 */
public final class CaseBuilder {

  /** Whose the weight is, where there are several heads. */
  public enum Sharing {
    /** Each head has its own. */
    NONE,
    /** All have one: [1, R, S]. */
    ONE,
    /** All have one, and the gradient of each is asked for: [H, R, S] with a stride of 0. */
    REPEATED
  }

  DType dtype = DType.FLOAT32;
  DType outDType;
  ProjectionSizes sizes = new ProjectionSizes(1, 6, 3, 1, 8, null);
  Sharing sharing = Sharing.NONE;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  boolean dweight = true;
  MatrixStyle weightStyle = MatrixStyle.DENSE;
  MatrixStyle dweightStyle = MatrixStyle.DENSE;
  private final Map<String, Style> styles = new HashMap<>();

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of x, weight and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** B, S, R, H and D. */
  public CaseBuilder sizes(int batch, int length, int rank, int heads, int headDim) {
    sizes = new ProjectionSizes(batch, length, rank, heads, headDim, null);
    return this;
  }

  /** Of the sequences, each at most S; null for S. After {@link #sizes}. */
  public CaseBuilder lengths(int... lengths) {
    ProjectionSizes s = sizes;
    sizes = new ProjectionSizes(s.batch(), s.length(), s.rank(), s.heads(), s.headDim(), lengths);
    return this;
  }

  /** Whose the weight is. */
  public CaseBuilder sharing(Sharing sharing) {
    this.sharing = sharing;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of x, out, dout or dx; dense unless set. */
  public CaseBuilder style(String operand, Style style) {
    styles.put(operand, style);
    return this;
  }

  /** The backward pass of the call, with a dx of that type. */
  public CaseBuilder backward(DType type) {
    gradients = type;
    return this;
  }

  /** dweight is added to what is there. */
  public CaseBuilder accumulate() {
    accumulate = true;
    return this;
  }

  /** dweight is not asked for. */
  public CaseBuilder withoutDweight() {
    dweight = false;
    return this;
  }

  /** Workers asked for. */
  public CaseBuilder parallelism(int workers) {
    parallelism = workers;
    return this;
  }

  /** The finished case. */
  public ProjectionCase build() {
    ProjectionSizes s = sizes;
    long[] positions = {s.batch(), s.length(), s.heads(), s.headDim()};
    long[] ranks = {s.batch(), s.rank(), s.heads(), s.headDim()};
    int heads = sharing == Sharing.ONE ? 1 : s.heads();
    Map<String, Layout> layouts = new LinkedHashMap<>();
    put(layouts, "x", positions);
    Layout weight = weightStyle.layout(heads, s.rank(), s.length());
    layouts.put("weight", sharing == Sharing.REPEATED ? weight.broadcast(0) : weight);
    if (gradients == null) {
      put(layouts, "out", ranks);
    } else {
      put(layouts, "dout", ranks);
      put(layouts, "dx", positions);
      if (dweight) {
        layouts.put("dweight", dweightStyle.layout(heads, s.rank(), s.length()));
      }
    }
    return new ProjectionCase(
        s,
        dtype,
        outDType == null ? dtype : outDType,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        gradients == null ? null : new Gradients(gradients, deterministic, accumulate),
        repeat);
  }

  private void put(Map<String, Layout> layouts, String operand, long[] size) {
    layouts.put(operand, styles.getOrDefault(operand, Style.DENSE).layout(size));
  }
}
