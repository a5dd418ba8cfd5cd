package dev.fovea.testkit.rotary;

import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.rotary.RotaryCase.Content;
import dev.fovea.testkit.rotary.RotaryCase.Order;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes a {@link RotaryCase} from as few words as a test needs. Defaults: float32, the forward
 * pass, one sequence of 6 rows, two heads of 8 columns that are all turned, pairs half a row apart,
 * dense, one table with a row for each of a sequence, no positions.
 */
public final class CaseBuilder {

  /** Whose a table is, or positions, where there are several sequences. */
  public enum Sharing {
    /** All have one. */
    ONE,
    /** Each has its own. */
    EACH,
    /** All have one, as if each had its own: a stride of 0. */
    REPEATED
  }

  DType dtype = DType.FLOAT32;
  DType outDType;
  RotarySizes sizes = new RotarySizes(1, 6, 2, 8, 4, 6);
  boolean interleaved;
  Sharing cosines = Sharing.ONE;
  Sharing sines = Sharing.ONE;
  Sharing positions; // null: none
  Order order = Order.ANY;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  DType gradients; // null: the forward pass
  boolean deterministic;
  boolean accumulate;
  MatrixStyle cosinesStyle = MatrixStyle.DENSE;
  MatrixStyle sinesStyle = MatrixStyle.DENSE;
  MatrixStyle positionsStyle = MatrixStyle.DENSE;
  private final Map<String, Style> styles = new HashMap<>();

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

  /** B, S, H and D; as many pairs as there can be, and a row of the tables for each of S. */
  public CaseBuilder sizes(int batch, int length, int heads, int headDim) {
    sizes = new RotarySizes(batch, length, heads, headDim, headDim / 2, length);
    return this;
  }

  /** C and P. After {@link #sizes}. */
  public CaseBuilder tables(int pairs, int positionCount) {
    RotarySizes s = sizes;
    sizes = new RotarySizes(s.batch(), s.length(), s.heads(), s.headDim(), pairs, positionCount);
    return this;
  }

  /** Pairs are neighbours. */
  public CaseBuilder interleaved() {
    interleaved = true;
    return this;
  }

  /** Whose the tables are. */
  public CaseBuilder sharing(Sharing ofTables) {
    cosines = ofTables;
    sines = ofTables;
    return this;
  }

  /** Whose the positions are, and which. */
  public CaseBuilder positions(Sharing sharing, Order order) {
    positions = sharing;
    this.order = order;
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
  public RotaryCase build() {
    RotarySizes s = sizes;
    Map<String, Layout> layouts = new LinkedHashMap<>();
    put(layouts, "x");
    layouts.put("cosines", table(cosines, cosinesStyle));
    layouts.put("sines", table(sines, sinesStyle));
    if (positions != null) {
      layouts.put("positions", positions());
    }
    if (gradients == null) {
      put(layouts, "out");
    } else {
      put(layouts, "dout");
      put(layouts, "dx");
    }
    return new RotaryCase(
        s,
        dtype,
        outDType == null ? dtype : outDType,
        interleaved,
        order,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        gradients == null ? null : new Gradients(gradients, deterministic, accumulate),
        repeat);
  }

  private void put(Map<String, Layout> layouts, String operand) {
    Style style = styles.getOrDefault(operand, Style.DENSE);
    layouts.put(
        operand, style.layout(sizes.batch(), sizes.length(), sizes.heads(), sizes.headDim()));
  }

  private Layout table(Sharing sharing, MatrixStyle style) {
    int tables = sharing == Sharing.ONE ? 1 : sizes.batch();
    Layout layout = style.layout(tables, sizes.positionCount(), sizes.pairs());
    return sharing == Sharing.REPEATED ? layout.broadcast(0) : layout;
  }

  private Layout positions() {
    int rows = positions == Sharing.ONE ? 1 : sizes.batch();
    long[] stride = {positions == Sharing.REPEATED ? 0 : sizes.length() + positionsStyle.gap()};
    Layout layout = Layout.withStrides(positionsStyle.offset(), stride, rows, sizes.length());
    return positionsStyle.absurd() ? layout.withAbsurdStrides() : layout;
  }
}
