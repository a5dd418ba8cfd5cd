package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.attention.BackwardCase.Layouts;

/**
 * Makes a {@link BackwardCase} from a forward and as few words as a test needs. Defaults: gradients
 * in the dtype of query, all that the forward has operands for, dense, nothing added to.
 */
public final class BackwardBuilder {

  final CaseBuilder forward;
  DType dtype;
  boolean deterministic;
  boolean accumulate;
  boolean dbias = true;
  boolean dpositions = true;
  boolean dtable = true;
  boolean dmodifierTable = true;
  boolean dalibi = true;
  boolean drows = true;
  boolean dkeyGates = true;
  boolean doutputGates = true;
  boolean dsinks = true;
  Style dout = Style.DENSE;
  Style dquery = Style.DENSE;
  Style dkey = Style.DENSE;
  Style dvalue = Style.DENSE;
  Style dbiasStyle = Style.DENSE;
  Style dpositionStyle = Style.DENSE;
  Style dtableStyle = Style.DENSE;
  Style dmodifierStyle = Style.DENSE;
  Style dalibiStyle = Style.DENSE;
  Style drowStyle = Style.DENSE;
  Style dgateStyle = Style.DENSE;

  /** The backward of that forward, which gets an lse and loses its weights and ungated output. */
  public BackwardBuilder(CaseBuilder forward) {
    this.forward = forward.outputs(true, false).gates(forward.gates.ofBackward());
  }

  /** dtype of dquery, dkey and dvalue. */
  public BackwardBuilder dtype(DType type) {
    dtype = type;
    return this;
  }

  /** The same bits on every run. */
  public BackwardBuilder deterministic() {
    deterministic = true;
    return this;
  }

  /** dkey and dvalue are added to what is there. */
  public BackwardBuilder accumulate() {
    accumulate = true;
    return this;
  }

  /** Which of the gradients are asked for that not every forward has. */
  public BackwardBuilder gradients(boolean dbias, boolean dalibi, boolean dsinks) {
    this.dbias = dbias;
    this.dalibi = dalibi;
    this.dsinks = dsinks;
    return this;
  }

  /** Memory of dout and of the gradients. */
  public BackwardBuilder styles(Style dout, Style dquery, Style dkey, Style dvalue, Style dbias) {
    this.dout = dout;
    this.dquery = dquery;
    this.dkey = dkey;
    this.dvalue = dvalue;
    this.dbiasStyle = dbias;
    return this;
  }

  /** The finished case. */
  public BackwardCase build() {
    AttentionCase c = forward.build();
    Options options = c.options();
    AttentionCase.Layouts of = c.layouts();
    Layouts layouts =
        new Layouts(
            dout.layout(of.out().size()),
            dquery.layout(of.query().size()),
            dkey.layout(of.key().size()),
            dvalue.layout(of.value().size()),
            dbias && of.bias() != null ? dbiasStyle.layout(of.bias().size()) : null,
            positions(of.contentBias()),
            positions(of.positionBias()),
            positions(of.positionKeys()),
            dtable && of.table() != null ? dtableStyle.layout(of.table().size()) : null,
            dmodifierTable && c.options().modifier() != null && c.options().modifier().learns()
                ? dmodifierStyle.layout(of.modifierTable().size())
                : null,
            dalibi && of.alibi() != null ? dalibiStyle.layout(of.alibi().size()) : null,
            dkeyGates && of.keyGates() != null ? dgateStyle.layout(of.keyGates().size()) : null,
            doutputGates && of.outputGates() != null
                ? dgateStyle.layout(of.outputGates().size())
                : null,
            of.rows().stream().filter(it -> drows).map(it -> drowStyle.layout(it.size())).toList());
    DType type = dtype == null ? options.dtype() : dtype;
    return new BackwardCase(c, type, deterministic, accumulate, dsinks && options.sinks(), layouts);
  }

  private Layout positions(Layout of) {
    return dpositions && of != null ? dpositionStyle.layout(of.size()) : null;
  }
}
