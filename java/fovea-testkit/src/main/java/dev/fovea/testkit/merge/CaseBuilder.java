package dev.fovea.testkit.merge;

import dev.fovea.DType;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.merge.MergeCase.Content;
import dev.fovea.testkit.merge.MergeCase.Lses;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Makes a {@link MergeCase} from as few words as a test needs. Defaults: float32, two sequences of
 * 5 rows of 3 heads, 2 parts of 8 columns, dense, all parts with keys, no sinks, no lse.
 */
public final class CaseBuilder {
  DType dtype = DType.FLOAT32;
  DType outDType;
  MergeSizes sizes = new MergeSizes(2, 2, 5, 3, 8);
  Lses lses = Lses.NORMAL;
  boolean empty;
  boolean sinks;
  boolean lse;
  Content content = Content.NORMAL;
  long dataSeed = 1;
  Side guard = Side.END;
  int parallelism = 1;
  String repeat = "hand-written case";
  PartStyle outsStyle = PartStyle.DENSE;
  Style lsesStyle = Style.DENSE;
  Style outStyle = Style.DENSE;
  MatrixStyle lseStyle = MatrixStyle.DENSE;
  int sinksOffset;

  /** A case of all defaults. */
  public CaseBuilder() {}

  /** dtype of outs and, unless asked otherwise, out. */
  public CaseBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** dtype of out. */
  public CaseBuilder outDType(DType type) {
    outDType = type;
    return this;
  }

  /** B, P, Sq, Hq and Dv. */
  public CaseBuilder sizes(int batch, int parts, int length, int heads, int width) {
    sizes = new MergeSizes(batch, parts, length, heads, width);
    return this;
  }

  /** How lses of a row differ, and whether parts without keys are among them. */
  public CaseBuilder lses(Lses kind, boolean withEmpty) {
    lses = kind;
    empty = withEmpty;
    return this;
  }

  /** There are sinks. */
  public CaseBuilder sinks() {
    sinks = true;
    return this;
  }

  /** The lse is wanted. */
  public CaseBuilder lse() {
    lse = true;
    return this;
  }

  /** Kind and seed of the values. */
  public CaseBuilder content(Content kind, long seed) {
    content = kind;
    dataSeed = seed;
    return this;
  }

  /** Memory of the parts and of out; dense unless set. */
  public CaseBuilder styles(PartStyle outs, Style out) {
    outsStyle = outs;
    outStyle = out;
    return this;
  }

  /** Memory of the lses of parts, and of all. */
  public CaseBuilder lseStyles(Style ofParts, MatrixStyle ofAll) {
    lsesStyle = ofParts;
    lseStyle = ofAll;
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
  public MergeCase build() {
    MergeSizes s = sizes;
    Map<String, Layout> layouts = new LinkedHashMap<>();
    layouts.put("outs", outsStyle.layout(s.parts(), s.batch(), s.length(), s.heads(), s.width()));
    layouts.put("lses", lsesStyle.layout(s.parts(), s.batch(), s.heads(), s.length()));
    if (sinks) {
      layouts.put("sinks", Layout.withStrides(sinksOffset, new long[0], s.heads()));
    }
    layouts.put("out", outStyle.layout(s.batch(), s.length(), s.heads(), s.width()));
    if (lse) {
      layouts.put("lse", lseStyle.layout(s.batch(), s.heads(), s.length()));
    }
    return new MergeCase(
        s,
        dtype,
        outDType == null ? dtype : outDType,
        lses,
        empty,
        layouts,
        content,
        dataSeed,
        guard,
        parallelism,
        repeat);
  }
}
