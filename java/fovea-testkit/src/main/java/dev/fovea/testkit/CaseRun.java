package dev.fovea.testkit;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.AttentionPlan;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
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
  private final Device device;
  private final Scope scope; // null where the device computes on the host's memory
  private final List<CaseMemory> memories = new ArrayList<>();
  private final AttentionCall call;
  private final CaseMemory out;
  private final CaseMemory lse;
  private final CaseMemory weights;
  private String damage; // by the last run

  /** Lays the operands out in memory of {@code device} and binds the call; runs nothing. */
  public CaseRun(AttentionCase c, Operands data, Device device) {
    this.c = c;
    this.data = data;
    this.device = device;
    scope = device.backend().hostMemory() ? null : Scope.open(device);
    boolean built = false;
    try {
      Geometry g = c.geometry();
      Options o = c.options();
      Tensor query = input(o.dtype(), c.layouts().query(), data.query());
      Tensor key = input(o.dtype(), c.layouts().key(), data.key());
      Tensor value = input(o.dtype(), c.layouts().value(), data.value());
      call = spec(o).call(query, key, value);
      optional();
      out = output(o.outDType(), c.layouts().out());
      call.out(tensor(out, o.outDType(), c.layouts().out(), dims()));
      lse = o.lse() ? output(DType.FLOAT32, c.layouts().lse()) : null;
      if (lse != null) {
        call.lse(tensor(lse, DType.FLOAT32, c.layouts().lse(), lseDims(g)));
      }
      weights = o.weights() ? output(DType.FLOAT32, c.layouts().weights()) : null;
      if (weights != null) {
        call.weights(tensor(weights, DType.FLOAT32, c.layouts().weights(), dims()));
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

  private void optional() {
    Geometry g = c.geometry();
    Options o = c.options();
    if (g.packed()) {
      call.cuSeqlens(ints(g.cuQ()), ints(g.cuK()), g.queryLength(), g.keyLength());
    } else {
      if (g.queryLengths() != null) {
        call.queryLengths(ints(g.queryLengths()));
      }
      if (g.keyLengths() != null) {
        call.keyLengths(ints(g.keyLengths()));
      }
    }
    if (data.bias() != null) {
      Layout layout = c.layouts().bias();
      CaseMemory memory = sealed(o.biasDType(), data.bias());
      call.bias(tensor(memory, o.biasDType(), layout, dims()));
    }
    if (data.alibi() != null) {
      CaseMemory memory = sealed(DType.FLOAT32, data.alibi());
      int[] dims = o.alibi() == Alibi.PER_HEAD ? new int[] {1} : new int[] {0, 1};
      call.alibiSlopes(tensor(memory, DType.FLOAT32, c.layouts().alibi(), dims));
    }
    if (data.sinks() != null) {
      CaseMemory memory = sealed(DType.FLOAT32, data.sinks());
      call.sinks(vector(memory, DType.FLOAT32, data.sinks().length));
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
  private static Tensor tensor(CaseMemory memory, DType type, Layout layout, int... dims) {
    long[] shape = new long[dims.length];
    long[] strides = new long[dims.length];
    for (int i = 0; i < dims.length; i++) {
      shape[i] = layout.size()[dims[i]];
      strides[i] = dims[i] == 3 ? 1 : layout.stride()[dims[i]];
    }
    long from = layout.isEmpty() ? 0 : layout.offset() * type.byteSize();
    return memory.view(from, type, shape, strides);
  }

  private static Tensor vector(CaseMemory memory, DType type, long length) {
    return memory.view(0, type, new long[] {length}, new long[] {1});
  }

  private Tensor input(DType type, Layout layout, float[] values) {
    return tensor(sealed(type, values), type, layout, dims());
  }

  private CaseMemory sealed(DType type, float[] values) {
    CaseMemory memory = allocate(type, values.length);
    Rounding.write(memory.segment(), type, values);
    memory.seal();
    return memory;
  }

  private CaseMemory allocate(DType type, long elements) {
    int size = Rounding.bytes(type);
    CaseMemory memory = CaseMemory.allocate(device, scope, elements * size, c.guard(), size);
    memories.add(memory);
    return memory;
  }

  private Tensor ints(int[] values) {
    CaseMemory memory = allocate(DType.INT32, values.length);
    MemorySegment.copy(
        values, 0, memory.segment(), ValueLayout.JAVA_INT_UNALIGNED, 0, values.length);
    memory.seal();
    return vector(memory, DType.INT32, values.length);
  }

  private CaseMemory output(DType type, Layout layout) {
    CaseMemory memory = allocate(type, layout.elements());
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

  /** Fills the outputs with the canary again, runs the call and brings them to the host. */
  public CaseRun run() {
    prefill(out, c.options().outDType(), c.layouts().out());
    prefill(lse, DType.FLOAT32, c.layouts().lse());
    prefill(weights, DType.FLOAT32, c.layouts().weights());
    call.run();
    damage = null;
    for (CaseMemory memory : memories) {
      String found = memory.download();
      damage = damage == null ? found : damage;
    }
    return this;
  }

  private static void prefill(CaseMemory memory, DType type, Layout layout) {
    if (memory != null) {
      Rounding.prefill(memory.segment(), type, layout.elements());
      memory.upload();
    }
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
    return wrong == null ? damage : wrong;
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
    memories.forEach(CaseMemory::close);
    if (scope != null) {
      scope.close();
    }
  }
}
