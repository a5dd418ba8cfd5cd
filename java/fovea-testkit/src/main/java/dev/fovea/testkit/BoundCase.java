package dev.fovea.testkit;

import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.spi.Devices;
import dev.fovea.testkit.Options.Alibi;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The inputs of a case in guarded memory, bound to a call of the public API, and the memory of
 * outputs, forward's or backward's.
 */
final class BoundCase implements AutoCloseable {

  /**
   * Memory that a run writes.
   *
   * @param name for people
   * @param memory the whole buffer
   * @param tensor a view of it
   * @param before what it holds before a run, NaN for the canary; null if that is all
   */
  record Output(
      String name, CaseMemory memory, Tensor tensor, DType type, Layout layout, float[] before) {

    private void prefill() {
      Rounding.prefill(memory.segment(), type, layout.elements());
      for (int i = 0; before != null && i < before.length; i++) {
        if (!Float.isNaN(before[i])) {
          Rounding.set(memory.segment(), type, i, before[i]);
        }
      }
      memory.upload();
    }
  }

  private final AttentionCase c;
  private final Device device;
  private final Scope scope; // null where the device computes on the host's memory
  private final List<CaseMemory> memories = new ArrayList<>();
  private final List<Output> outputs = new ArrayList<>();
  private final AttentionCall call;

  /** Lays the inputs out in memory of {@code device} and binds them. */
  BoundCase(AttentionCase c, Operands data, Device device) {
    this.c = c;
    this.device = device;
    scope = Devices.backend(device).hostMemory() ? null : Scope.open(device);
    boolean built = false;
    try {
      Options o = c.options();
      Tensor query = input(o.dtype(), c.layouts().query(), data.query(), dims());
      Tensor key = input(o.dtype(), c.layouts().key(), data.key(), dims());
      Tensor value = input(o.dtype(), c.layouts().value(), data.value(), dims());
      call = CaseRun.spec(o).call(query, key, value);
      bindOptional(data);
      call.parallelism(c.parallelism());
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  private void bindOptional(Operands data) {
    Geometry g = c.geometry();
    Options o = c.options();
    if (g.packed()) {
      call.cuSeqlens(ints(g.cuQ()), ints(g.cuK()), g.queryLength(), g.keyLength());
    } else if (g.queryLengths() != null) {
      call.queryLengths(ints(g.queryLengths()));
    }
    if (g.hasKeyLengths()) {
      call.keyLengths(ints(g.keyLengths()));
    }
    if (data.bias() != null) {
      call.bias(input(o.biasDType(), c.layouts().bias(), data.bias(), dims()));
    }
    if (data.alibi() != null) {
      call.alibiSlopes(input(DType.FLOAT32, c.layouts().alibi(), data.alibi(), slopeDims()));
    }
    if (data.sinks() != null) {
      call.sinks(input(DType.FLOAT32, perHead(), data.sinks(), 3));
    }
    if (o.dropout() > 0) {
      call.dropoutSeed(o.seed(), o.offset());
    }
  }

  /** The call: inputs are bound to it. */
  AttentionCall call() {
    return call;
  }

  /** The dimensions of most tensors: packed ones have no batch. */
  int[] dims() {
    return c.geometry().packed() ? new int[] {1, 2, 3} : new int[] {0, 1, 2, 3};
  }

  /** The dimensions of lse. */
  int[] lseDims() {
    return c.geometry().packed() ? new int[] {1, 3} : new int[] {0, 1, 3};
  }

  /** The dimensions of slopes. */
  int[] slopeDims() {
    return c.options().alibi() == Alibi.PER_HEAD ? new int[] {1} : new int[] {0, 1};
  }

  /** The layout of sinks, of dimension 3. */
  Layout perHead() {
    return Layout.dense(1, 1, 1, c.geometry().queryHeads());
  }

  /** A tensor that is read and not to be written. */
  Tensor input(DType type, Layout layout, float[] values, int... dims) {
    CaseMemory memory = allocate(type, values.length);
    Rounding.write(memory.segment(), type, values);
    memory.seal();
    return tensor(memory, type, layout, dims);
  }

  /** A tensor that is written; {@code before} as in {@link Output}. */
  Output output(String name, DType type, Layout layout, float[] before, int... dims) {
    CaseMemory memory = allocate(type, layout.elements());
    Tensor tensor = tensor(memory, type, layout, dims);
    outputs.add(new Output(name, memory, tensor, type, layout, before));
    return outputs.getLast();
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
    return memory.view(0, DType.INT32, new long[] {values.length}, new long[] {1});
  }

  /**
   * Fills the outputs as they are before a run, runs, and brings them to the host. Says what was
   * written that must not be, or null.
   */
  String run(Runnable work) {
    outputs.forEach(Output::prefill);
    work.run();
    String damage = null;
    for (CaseMemory memory : memories) {
      String found = memory.download();
      damage = damage == null ? found : damage;
    }
    return damage;
  }

  /** Bytes of all outputs, one after the other: two runs with the same bits have the same. */
  byte[] outputBytes() {
    int size = 0;
    for (Output output : outputs) {
      size += Math.toIntExact(output.memory.segment().byteSize());
    }
    byte[] all = new byte[size];
    int at = 0;
    for (Output output : outputs) {
      byte[] part = output.memory.segment().toArray(ValueLayout.JAVA_BYTE);
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /** What is wrong with the outputs, or null; what is expected has their order, with nulls. */
  String compare(List<Expected> expected) {
    List<Expected> present = expected.stream().filter(Objects::nonNull).toList();
    for (int i = 0; i < outputs.size(); i++) {
      Output output = outputs.get(i);
      String wrong = Comparison.compare(output.name, output.memory.segment(), present.get(i));
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  @Override
  public void close() {
    memories.forEach(CaseMemory::close);
    if (scope != null) {
      scope.close();
    }
  }
}
