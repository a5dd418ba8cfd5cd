package dev.fovea.testkit.norm;

import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.norm.NormCase.Content;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes a {@link NormCase} from as few words as a test needs. Defaults: float32, the forward pass
 * of a layer normalization, one sequence of 6 positions, one head of 8 columns, dense, weight and
 * bias, neither mean nor inverse; a backward pass gives all gradients.
 */
public final class CaseBuilder {

  /** Whose a weight or bias is, where there are several heads. */
  public enum Sharing {
    /** All have one: [1, D]. */
    ONE,
    /** Each has its own. */
    EACH,
    /** All have one, and the gradient of each is asked for: [H, D] with a stride of 0. */
    REPEATED
  }

  DType dtype = DType.FLOAT32;
  DType outDType;
  NormSizes sizes = new NormSizes(1, 6, 1, 8);
  boolean centered = true;
  float epsilon = 1e-5f;
  Sharing weight = Sharing.ONE; // null: none, as of bias
  Sharing bias = Sharing.ONE;
  boolean mean;
  boolean inverse;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  boolean accumulateDx;
  boolean dweight = true; // if there is a weight, as of bias
  boolean dbias = true;
  private final Map<String, Style> styles = new HashMap<>();
  private final Map<String, MatrixStyle> vectorStyles = new HashMap<>();

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of x and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** B, S, H and D. */
  public CaseBuilder sizes(int batch, int length, int heads, int width) {
    sizes = new NormSizes(batch, length, heads, width);
    return this;
  }

  /** By the root mean square. */
  public CaseBuilder rms() {
    centered = false;
    return this;
  }

  /** Added to the mean of squares. */
  public CaseBuilder epsilon(double number) {
    epsilon = (float) number;
    return this;
  }

  /** Whose weight and bias are; null for none. */
  public CaseBuilder sharing(Sharing ofWeight, Sharing ofBias) {
    weight = ofWeight;
    bias = ofBias;
    return this;
  }

  /** Inverse, and mean where there is one, are wanted. */
  public CaseBuilder moments() {
    mean = true;
    inverse = true;
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

  /** Memory of weight, bias, their gradients, mean or inverse; dense unless set. */
  public CaseBuilder style(String operand, MatrixStyle style) {
    vectorStyles.put(operand, style);
    return this;
  }

  /** The backward pass of the call, with a dx of that type. */
  public CaseBuilder backward(DType type) {
    gradients = type;
    return this;
  }

  /** Gradients are added to what is there: dx, or those of weight and bias. */
  public CaseBuilder accumulate(boolean ofX, boolean ofWeights) {
    accumulateDx = ofX;
    accumulate = ofWeights;
    return this;
  }

  /** Which gradients beside dx are wanted. */
  public CaseBuilder gradients(boolean ofWeight, boolean ofBias) {
    dweight = ofWeight;
    dbias = ofBias;
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
  public NormCase build() {
    boolean backward = gradients != null;
    Map<String, Layout> layouts = new LinkedHashMap<>();
    rows(layouts, "x");
    if (weight != null) {
      layouts.put("weight", vectors("weight", weight, true));
    }
    if (bias != null) {
      layouts.put("bias", vectors("bias", bias, true));
    }
    if (backward) {
      rows(layouts, "dout");
      rows(layouts, "dx");
      if (weight != null && dweight) {
        layouts.put("dweight", vectors("dweight", weight, false));
      }
      if (bias != null && dbias) {
        layouts.put("dbias", vectors("dbias", bias, false));
      }
    } else {
      rows(layouts, "out");
      for (String wanted : List.of("mean", "inverse")) {
        if (wanted.equals("mean") ? mean && centered : inverse) {
          layouts.put(
              wanted, vectorStyle(wanted).layout(sizes.batch(), sizes.length(), sizes.heads()));
        }
      }
    }
    return new NormCase(
        sizes,
        dtype,
        outDType == null ? dtype : outDType,
        centered,
        epsilon,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        backward ? new Gradients(gradients, deterministic, accumulate) : null,
        backward && accumulateDx,
        repeat);
  }

  private void rows(Map<String, Layout> layouts, String operand) {
    Style style = styles.getOrDefault(operand, Style.DENSE);
    layouts.put(operand, style.layout(sizes.batch(), sizes.length(), sizes.heads(), sizes.width()));
  }

  private MatrixStyle vectorStyle(String operand) {
    return vectorStyles.getOrDefault(operand, MatrixStyle.DENSE);
  }

  private Layout vectors(String operand, Sharing sharing, boolean read) {
    MatrixStyle style = vectorStyle(operand);
    int heads = sharing == Sharing.ONE ? 1 : sizes.heads();
    long[] stride = {
      sharing == Sharing.REPEATED && read ? 0 : sizes.width() + style.gap() + style.blockGap()
    };
    Layout layout = Layout.withStrides(style.offset(), stride, heads, sizes.width());
    return style.absurd() ? layout.withAbsurdStrides() : layout;
  }
}
