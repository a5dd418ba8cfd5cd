package dev.fovea.testkit;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Tensor;
import dev.fovea.testkit.Options.Alibi;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A case in guarded memory, bound to the public API: run it as often as wanted, look at the bytes
 * it wrote, compare them with the oracle.
 */
public final class CaseRun implements AutoCloseable {

  private final AttentionCase c;
  private final Operands data;
  private final List<GuardedMemory> memories = new ArrayList<>();
  private final AttentionCall call;
  private final GuardedMemory out;
  private final GuardedMemory lse;
  private final GuardedMemory weights;

  /** Lays the operands out in memory of {@code device} and binds the call; runs nothing. */
  public CaseRun(AttentionCase c, Operands data, Device device) {
    this.c = c;
    this.data = data;
    boolean built = false;
    try {
      Geometry g = c.geometry();
      Options o = c.options();
      Tensor query = input(device, o.dtype(), c.layouts().query(), data.query());
      Tensor key = input(device, o.dtype(), c.layouts().key(), data.key());
      Tensor value = input(device, o.dtype(), c.layouts().value(), data.value());
      call = spec(o).call(query, key, value);
      optional(device);
      out = output(o.outDType(), c.layouts().out());
      call.out(tensor(device, out.segment(), o.outDType(), c.layouts().out(), dims()));
      lse = o.lse() ? output(DType.FLOAT32, c.layouts().lse()) : null;
      if (lse != null) {
        call.lse(tensor(device, lse.segment(), DType.FLOAT32, c.layouts().lse(), lseDims(g)));
      }
      weights = o.weights() ? output(DType.FLOAT32, c.layouts().weights()) : null;
      if (weights != null) {
        call.weights(
            tensor(device, weights.segment(), DType.FLOAT32, c.layouts().weights(), dims()));
      }
      call.parallelism(c.parallelism());
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  /** The specification of a case in the public API's words. */
  public static Attention spec(Options o) {
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
    if (o.dropout() > 0) {
      builder = builder.dropout(o.dropout());
    }
    if (o.outDType() != o.dtype()) {
      builder = builder.outDType(o.outDType());
    }
    return builder.allowTf32(o.allowTf32()).build();
  }

  private void optional(Device device) {
    Geometry g = c.geometry();
    Options o = c.options();
    if (g.packed()) {
      call.cuSeqlens(ints(device, g.cuQ()), ints(device, g.cuK()), g.queryLength(), g.keyLength());
    } else {
      if (g.queryLengths() != null) {
        call.queryLengths(ints(device, g.queryLengths()));
      }
      if (g.keyLengths() != null) {
        call.keyLengths(ints(device, g.keyLengths()));
      }
    }
    if (data.bias() != null) {
      Layout layout = c.layouts().bias();
      GuardedMemory memory = sealed(o.biasDType(), data.bias());
      call.bias(tensor(device, memory.segment(), o.biasDType(), layout, dims()));
    }
    if (data.alibi() != null) {
      GuardedMemory memory = sealed(DType.FLOAT32, data.alibi());
      int[] dims = o.alibi() == Alibi.PER_HEAD ? new int[] {1} : new int[] {0, 1};
      call.alibiSlopes(tensor(device, memory.segment(), DType.FLOAT32, c.layouts().alibi(), dims));
    }
    if (data.sinks() != null) {
      GuardedMemory memory = sealed(DType.FLOAT32, data.sinks());
      call.sinks(Tensor.of(memory.segment(), DType.FLOAT32, data.sinks().length).on(device));
    }
    if (o.dropout() > 0) {
      call.dropoutSeed(o.seed(), o.offset());
    }
  }

  /** Which dimensions a tensor of this case has: packed ones have no batch. */
  private int[] dims() {
    return c.geometry().packed() ? new int[] {1, 2, 3} : new int[] {0, 1, 2, 3};
  }

  private static int[] lseDims(Geometry g) {
    return g.packed() ? new int[] {1, 3} : new int[] {0, 1, 3};
  }

  /** A view of the dimensions {@code dims} of a layout: the others have one element. */
  private static Tensor tensor(
      Device device, MemorySegment memory, DType type, Layout layout, int... dims) {
    long[] shape = new long[dims.length];
    long[] strides = new long[dims.length];
    for (int i = 0; i < dims.length; i++) {
      shape[i] = layout.size()[dims[i]];
      strides[i] = dims[i] == 3 ? 1 : layout.stride()[dims[i]];
    }
    MemorySegment from =
        layout.isEmpty() ? memory : memory.asSlice(layout.offset() * type.byteSize());
    return Tensor.of(from, type, shape, strides).on(device);
  }

  private Tensor input(Device device, DType type, Layout layout, float[] values) {
    return tensor(device, sealed(type, values).segment(), type, layout, dims());
  }

  private GuardedMemory sealed(DType type, float[] values) {
    GuardedMemory memory =
        GuardedMemory.allocate(
            (long) values.length * Rounding.bytes(type), c.guard(), Rounding.bytes(type));
    memories.add(memory);
    Rounding.write(memory.segment(), type, values);
    memory.seal();
    return memory;
  }

  private Tensor ints(Device device, int[] values) {
    GuardedMemory memory = GuardedMemory.allocate(4L * values.length, c.guard(), 4);
    memories.add(memory);
    MemorySegment.copy(
        values, 0, memory.segment(), ValueLayout.JAVA_INT_UNALIGNED, 0, values.length);
    memory.seal();
    return Tensor.of(memory.segment(), DType.INT32, values.length).on(device);
  }

  private GuardedMemory output(DType type, Layout layout) {
    GuardedMemory memory =
        GuardedMemory.allocate(
            (long) layout.elements() * Rounding.bytes(type), c.guard(), Rounding.bytes(type));
    memories.add(memory);
    Rounding.prefill(memory.segment(), type, layout.elements());
    return memory;
  }

  /** The bound call, for tests that set its executor or parallelism. */
  public AttentionCall call() {
    return call;
  }

  /** The plan of the call. */
  public AttentionPlan plan() {
    return call.plan();
  }

  /** Fills the outputs with the canary again and runs the call. */
  public CaseRun run() {
    Rounding.prefill(out.segment(), c.options().outDType(), c.layouts().out().elements());
    if (lse != null) {
      Rounding.prefill(lse.segment(), DType.FLOAT32, c.layouts().lse().elements());
    }
    if (weights != null) {
      Rounding.prefill(weights.segment(), DType.FLOAT32, c.layouts().weights().elements());
    }
    call.run();
    return this;
  }

  /** Memory of out. */
  public MemorySegment out() {
    return out.segment();
  }

  /** Memory of lse, or null. */
  public MemorySegment lse() {
    return lse == null ? null : lse.segment();
  }

  /** Memory of the weights, or null. */
  public MemorySegment weights() {
    return weights == null ? null : weights.segment();
  }

  /** Bytes of all outputs, one after the other: two runs with the same bits have the same. */
  public byte[] outputBytes() {
    byte[][] parts = {
      out.segment().toArray(ValueLayout.JAVA_BYTE),
      lse == null ? new byte[0] : lse.segment().toArray(ValueLayout.JAVA_BYTE),
      weights == null ? new byte[0] : weights.segment().toArray(ValueLayout.JAVA_BYTE)
    };
    byte[] all = Arrays.copyOf(parts[0], parts[0].length + parts[1].length + parts[2].length);
    System.arraycopy(parts[1], 0, all, parts[0].length, parts[1].length);
    System.arraycopy(parts[2], 0, all, parts[0].length + parts[1].length, parts[2].length);
    return all;
  }

  /** What is wrong with the outputs of the last run, or null. */
  public String compare(Oracle.Outputs expected) {
    String wrong = Comparison.compare("out", out(), expected.out());
    if (wrong == null && lse != null) {
      wrong = Comparison.compare("lse", lse(), expected.lse());
    }
    if (wrong == null && weights != null) {
      wrong = Comparison.compare("weights", weights(), expected.weights());
    }
    for (GuardedMemory memory : memories) {
      if (wrong == null && !memory.slackIntact()) {
        wrong = "bytes next to a buffer of " + memory.segment().byteSize() + " were written";
      }
    }
    return wrong;
  }

  /** Runs a case once from nothing; returns what is wrong with it, or null. */
  public static String check(AttentionCase c, Device device) {
    Operands data = Operands.of(c);
    Oracle.Outputs expected = Oracle.run(c, data, Precision.of(device.name()));
    try (CaseRun run = new CaseRun(c, data, device)) {
      return run.run().compare(expected);
    }
  }

  @Override
  public void close() {
    memories.forEach(GuardedMemory::close);
  }
}
