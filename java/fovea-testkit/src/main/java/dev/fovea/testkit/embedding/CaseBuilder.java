package dev.fovea.testkit.embedding;

import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OperationCase.Gradients;
import dev.fovea.testkit.embedding.EmbeddingCase.Content;
import dev.fovea.testkit.embedding.EmbeddingCase.Ids;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Makes an {@link EmbeddingCase} from as few words as a test needs. Defaults: float32, the forward
 * pass, two sequences of 5 tokens, a table of 7 rows of 8 columns, any ids, dense, neither scale
 * nor padding nor positions; a backward pass gives the gradient of every table that there is.
 */
public final class CaseBuilder {

  /** Which positions tokens are at. */
  public enum Positions {
    /** There are none. */
    NONE,
    /** Token s of every sequence at row s. */
    ROWS,
    /** Any, the same for all sequences. */
    SHARED,
    /** The same, as if each sequence had its own: a stride of 0. */
    REPEATED,
    /** Any, each sequence its own. */
    EACH
  }

  DType dtype = DType.FLOAT32;
  DType outDType;
  EmbeddingSizes sizes = new EmbeddingSizes(2, 5, 7, 8, 0);
  Positions positions = Positions.NONE;
  Float scale;
  int padding = -1;
  Ids ids = Ids.ANY;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  boolean backward;
  boolean deterministic;
  boolean accumulate;
  boolean dtable = true;
  boolean dpositions = true;
  private final Map<String, MatrixStyle> styles = new HashMap<>();
  private final Set<String> shared = new HashSet<>();

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of both tables and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** B, S, V and D. */
  public CaseBuilder sizes(int batch, int length, int vocabulary, int width) {
    sizes = new EmbeddingSizes(batch, length, vocabulary, width, sizes.positionCount());
    return this;
  }

  /** Which positions there are, and P rows of them. */
  public CaseBuilder positions(Positions which, int rows) {
    EmbeddingSizes s = sizes;
    positions = which;
    sizes = new EmbeddingSizes(s.batch(), s.length(), s.vocabulary(), s.width(), rows);
    return this;
  }

  /** Of the rows of table. */
  public CaseBuilder scale(float factor) {
    scale = factor;
    return this;
  }

  /** The id whose row of table has no gradient. */
  public CaseBuilder padding(int id) {
    padding = id;
    return this;
  }

  /** Which ids there are. */
  public CaseBuilder ids(Ids which) {
    ids = which;
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

  /** All rows of table, or all sequences of dout, are one: a stride of 0. */
  public CaseBuilder shared(String operand) {
    shared.add(operand);
    return this;
  }

  /** The backward pass of the call. */
  public CaseBuilder backward() {
    backward = true;
    return this;
  }

  /** Gradients are added to what is there. */
  public CaseBuilder accumulate() {
    accumulate = true;
    return this;
  }

  /** Which gradients are asked for, of tables that there are. */
  public CaseBuilder gradients(boolean ofTable, boolean ofPositions) {
    dtable = ofTable;
    dpositions = ofPositions;
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
  public EmbeddingCase build() {
    EmbeddingSizes s = sizes;
    Map<String, Layout> layouts = new LinkedHashMap<>();
    layouts.put("table", rows("table", s.vocabulary(), s.width()));
    layouts.put("ids", rows("ids", s.batch(), s.length()));
    boolean added = positions != Positions.NONE;
    if (added) {
      layouts.put("positions", rows("positions", s.positionCount(), s.width()));
      if (positions != Positions.ROWS) {
        Layout each =
            rows("position_ids", positions == Positions.SHARED ? 1 : s.batch(), s.length());
        layouts.put("position_ids", positions == Positions.REPEATED ? each.broadcast(0) : each);
      }
    }
    layouts.put(backward ? "dout" : "out", tokens(backward ? "dout" : "out"));
    if (backward && dtable) {
      layouts.put("dtable", rows("dtable", s.vocabulary(), s.width()));
    }
    if (backward && dpositions && added) {
      layouts.put("dpositions", rows("dpositions", s.positionCount(), s.width()));
    }
    return new EmbeddingCase(
        s,
        dtype,
        outDType == null ? dtype : outDType,
        scale,
        padding,
        ids,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        backward ? new Gradients(DType.FLOAT32, deterministic, accumulate) : null,
        repeat);
  }

  private MatrixStyle style(String operand) {
    return styles.getOrDefault(operand, MatrixStyle.DENSE);
  }

  private Layout tokens(String operand) {
    Layout layout = style(operand).layout(sizes.batch(), sizes.length(), sizes.width());
    return shared.contains(operand) ? layout.broadcast(0) : layout;
  }

  private Layout rows(String operand, long rows, long columns) {
    MatrixStyle style = style(operand);
    long[] stride = {columns + style.gap()};
    Layout layout = Layout.withStrides(style.offset(), stride, rows, columns);
    if (shared.contains(operand)) {
      return layout.broadcast(0);
    }
    return style.absurd() ? layout.withAbsurdStrides() : layout;
  }
}
