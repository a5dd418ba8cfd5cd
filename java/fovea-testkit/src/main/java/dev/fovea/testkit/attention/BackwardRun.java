package dev.fovea.testkit.attention;

import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Tensor;
import dev.fovea.testkit.CaseBuffers.Output;
import dev.fovea.testkit.Layout;
import java.lang.foreign.MemorySegment;

/** A backward case in guarded memory, as {@link CaseRun} has a forward one. */
public final class BackwardRun implements AutoCloseable {

  private final BoundCase bound;
  private final AttentionBackward backward;
  private final Output dquery;
  private final Output dkey;
  private final Output dvalue;
  private String damage; // by the last run

  /** Lays the operands out in memory of {@code device} and binds them; runs nothing. */
  public BackwardRun(BackwardCase c, BackwardOperands data, Device device) {
    AttentionCase forward = c.forward();
    bound = new BoundCase(forward, data.forward(), device);
    boolean built = false;
    try {
      DType outType = forward.options().outDType();
      int[] dims = bound.dims();
      BackwardCase.Layouts layouts = c.layouts();
      Tensor dout = bound.buffers().input(outType, layouts.dout(), data.dout(), dims);
      Tensor out = bound.buffers().input(outType, forward.layouts().out(), data.out(), dims);
      int[] lseDims = bound.lseDims();
      Tensor lse =
          bound.buffers().input(DType.FLOAT32, forward.layouts().lse(), data.lse(), lseDims);
      backward = call().gradients(dout, out, lse);
      backward.accumulate(c.accumulate()).deterministic(c.deterministic());
      dquery = bound.buffers().output("dquery", c.dtype(), layouts.dquery(), null, dims);
      dkey = bound.buffers().output("dkey", c.dtype(), layouts.dkey(), data.dkey(), dims);
      dvalue = bound.buffers().output("dvalue", c.dtype(), layouts.dvalue(), data.dvalue(), dims);
      backward.dquery(dquery.tensor()).dkey(dkey.tensor()).dvalue(dvalue.tensor());
      bindOptional(c);
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  private void bindOptional(BackwardCase c) {
    Layout dbias = c.layouts().dbias();
    if (dbias != null) {
      backward.dbias(
          bound.buffers().output("dbias", DType.FLOAT32, dbias, null, bound.dims()).tensor());
    }
    Layout dmodifier = c.layouts().dmodifierTable();
    if (dmodifier != null) {
      int[] dims = bound.tableDims();
      Output output =
          bound.buffers().output("dmodifierTable", DType.FLOAT32, dmodifier, null, dims);
      backward.dmodifierTable(output.tensor());
    }
    Layout dtable = c.layouts().dtable();
    if (dtable != null) {
      int[] dims = bound.tableDims();
      Output output = bound.buffers().output("drelativeTable", DType.FLOAT32, dtable, null, dims);
      backward.drelativeTable(output.tensor());
    }
    Layout dalibi = c.layouts().dalibi();
    if (dalibi != null) {
      int[] dims = bound.slopeDims();
      Output output = bound.buffers().output("dalibiSlopes", DType.FLOAT32, dalibi, null, dims);
      backward.dalibiSlopes(output.tensor());
    }
    for (int k = 0; k < c.layouts().drows().size(); k++) {
      RowOperand.Kind kind = c.forward().options().rows().get(k).kind();
      Layout layout = c.layouts().drows().get(k);
      Output output =
          bound.buffers().output("d" + kind, DType.FLOAT32, layout, null, bound.rowDims());
      kind.bindGradient(backward, output.tensor());
    }
    Layout dkeyGates = c.layouts().dkeyGates();
    if (dkeyGates != null) {
      int[] dims = bound.keyGateDims();
      Output output = bound.buffers().output("dkeyGates", DType.FLOAT32, dkeyGates, null, dims);
      backward.dkeyGates(output.tensor());
    }
    Layout doutputGates = c.layouts().doutputGates();
    if (doutputGates != null) {
      int[] dims = bound.dims();
      Output output =
          bound.buffers().output("doutputGates", DType.FLOAT32, doutputGates, null, dims);
      backward.doutputGates(output.tensor());
    }
    bindPositions(c);
    if (c.dsinks()) {
      Output output = bound.buffers().output("dsinks", DType.FLOAT32, bound.perHead(), null, 3);
      backward.dsinks(output.tensor());
    }
  }

  private void bindPositions(BackwardCase c) {
    BackwardCase.Layouts layouts = c.layouts();
    if (layouts.dcontentBias() != null) {
      Layout layout = layouts.dcontentBias();
      Output output = bound.buffers().output("dcontentBias", DType.FLOAT32, layout, null, 2, 3);
      backward.dcontentBias(output.tensor());
    }
    if (layouts.dpositionBias() != null) {
      Layout layout = layouts.dpositionBias();
      Output output = bound.buffers().output("dpositionBias", DType.FLOAT32, layout, null, 2, 3);
      backward.dpositionBias(output.tensor());
    }
    if (layouts.dpositionKeys() != null) {
      Layout layout = layouts.dpositionKeys();
      Output output = bound.buffers().output("dpositionKeys", c.dtype(), layout, null, 1, 2, 3);
      backward.dpositionKeys(output.tensor());
    }
  }

  /** The bound forward call, for tests that set its executor or parallelism; it is never run. */
  public AttentionCall call() {
    return bound.call();
  }

  /** The plan of the backward. */
  public AttentionPlan plan() {
    return backward.plan();
  }

  /** Fills the gradients as they are before, runs the backward and brings them to the host. */
  public BackwardRun run() {
    damage = bound.buffers().run(backward::run);
    return this;
  }

  /** Memory of dquery, on the host. */
  public MemorySegment dquery() {
    return dquery.segment();
  }

  /** Memory of dkey, on the host. */
  public MemorySegment dkey() {
    return dkey.segment();
  }

  /** Memory of dvalue, on the host. */
  public MemorySegment dvalue() {
    return dvalue.segment();
  }

  /** Bytes of all gradients, one after the other: two runs with the same bits have the same. */
  public byte[] outputBytes() {
    return bound.buffers().outputBytes();
  }

  /** What is wrong with the gradients of the last run, or null. */
  public String compare(BackwardOracle.Gradients expected) {
    String wrong = bound.buffers().compare(expected.all());
    return wrong == null ? damage : wrong;
  }

  @Override
  public void close() {
    bound.close();
  }
}
