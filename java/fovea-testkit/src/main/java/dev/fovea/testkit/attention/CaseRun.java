package dev.fovea.testkit.attention;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.testkit.CaseBuffers.Output;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.TopWeights;
import java.lang.foreign.MemorySegment;

/**
 * A case in guarded memory, bound to the public API: run it as often as wanted, look at the bytes
 * it wrote, compare them with the oracle.
 */
public final class CaseRun implements AutoCloseable {

  private final BoundCase bound;
  private final Output out;
  private final Output lse;
  private final AttentionCase c;
  private final Output weights;
  private Output topWeights;
  private Output topKeys;
  private String damage; // by the last run

  /** Lays the operands out in memory of {@code device} and binds the call; runs nothing. */
  public CaseRun(AttentionCase c, Operands data, Device device) {
    this.c = c;
    bound = new BoundCase(c, data, device);
    boolean built = false;
    try {
      Options o = c.options();
      AttentionCase.Layouts layouts = c.layouts();
      out = bound.buffers().output("out", o.outDType(), layouts.out(), null, bound.dims());
      call().out(out.tensor());
      lse =
          o.lse()
              ? bound.buffers().output("lse", DType.FLOAT32, layouts.lse(), null, bound.lseDims())
              : null;
      if (lse != null) {
        call().lse(lse.tensor());
      }
      weights =
          o.weights()
              ? bound
                  .buffers()
                  .output("weights", DType.FLOAT32, layouts.weights(), null, bound.dims())
              : null;
      if (weights != null) {
        call().weights(weights.tensor());
      }
      if (o.top() > 0) {
        topWeights = top("topWeights", DType.FLOAT32, layouts.topWeights());
        topKeys = top("topKeys", DType.INT32, layouts.topKeys());
        call().topWeights(topWeights.tensor(), topKeys.tensor());
      }
      if (o.gates().ungated()) {
        Layout layout = layouts.ungated();
        call()
            .ungated(
                bound
                    .buffers()
                    .output("ungated", o.outDType(), layout, null, bound.dims())
                    .tensor());
      }
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  private Output top(String name, DType type, Layout layout) {
    return bound.buffers().output(name, type, layout, null, bound.dims());
  }

  /** The specification of a case in the public API's words. */
  public static Attention spec(AttentionCase c) {
    Options o = c.options();
    Attention.Builder builder = Attention.builder();
    if (o.causal()) {
      builder = builder.causal();
    }
    if (o.topLeft()) {
      builder = builder.alignment(Attention.Alignment.TOP_LEFT);
    }
    if (o.windowLeft() >= 0 || o.windowRight() >= 0) {
      builder =
          builder.window(
              o.windowLeft() < 0 ? Attention.UNBOUNDED : o.windowLeft(),
              o.windowRight() < 0 ? Attention.UNBOUNDED : o.windowRight());
    }
    if (o.scale() != null) {
      builder = builder.scale(o.scale());
    }
    if (o.softcap() > 0) {
      builder = builder.softcap(o.softcap());
    }
    builder.positionOrigin(o.positions().origin(c.geometry(), o.visibility()));
    if (o.modifier() != null) {
      builder.scoreModifier(o.modifier().product());
    }
    if (o.blocks() != null) {
      builder.blockSize(o.blocks().queries(), o.blocks().keys());
    }
    if (o.imageWindow() != null) {
      ImageWindow window = o.imageWindow();
      builder.imageWindow(window.width(), window.rows(), window.columns());
    }
    for (RowOperand it : o.rows()) {
      it.kind().configure(builder, it.number());
    }
    if (o.dropout() > 0) {
      builder = builder.dropout(o.dropout());
    }
    if (o.outDType() != o.dtype()) {
      builder = builder.outDType(o.outDType());
    }
    return builder.allowTf32(o.allowTf32()).build();
  }

  /** The bound call, for tests that set its executor or parallelism. */
  public AttentionCall call() {
    return bound.call();
  }

  /** The plan of the call. */
  public AttentionPlan plan() {
    return call().plan();
  }

  /** Fills the outputs with the canary again, runs the call and brings them to the host. */
  public CaseRun run() {
    damage = bound.buffers().run(call()::run);
    return this;
  }

  /** Memory of out, on the host. */
  public MemorySegment out() {
    return out.segment();
  }

  /** Memory of lse, on the host, or null. */
  public MemorySegment lse() {
    return lse == null ? null : lse.segment();
  }

  /** Memory of the weights, on the host, or null. */
  public MemorySegment weights() {
    return weights == null ? null : weights.segment();
  }

  /** Bytes of all outputs, one after the other: two runs with the same bits have the same. */
  public byte[] outputBytes() {
    return bound.buffers().outputBytes();
  }

  /** What is wrong with the outputs of the last run, or null. */
  public String compare(Oracle.Outputs expected) {
    String wrong = bound.buffers().compare(expected.all());
    if (wrong == null && topWeights != null) {
      AttentionCase.Layouts layouts = c.layouts();
      wrong =
          TopWeights.compare(
              TopWeights.Output.of(weights.segment(), layouts.weights()),
              TopWeights.Output.of(topWeights.segment(), layouts.topWeights()),
              TopWeights.Output.of(topKeys.segment(), layouts.topKeys()));
    }
    return wrong == null ? damage : wrong;
  }

  @Override
  public void close() {
    bound.close();
  }
}
