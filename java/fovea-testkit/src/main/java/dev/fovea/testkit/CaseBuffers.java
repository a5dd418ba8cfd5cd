package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.SequenceCall;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.testkit.GuardedMemory.Side;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The operands of a case in guarded memory of a device: what a run reads is sealed, what it writes
 * holds the canary before it.
 */
public final class CaseBuffers implements AutoCloseable {

  /** Memory that a run writes. */
  public static final class Output {
    private final String name;
    private final CaseMemory memory;
    private final Tensor tensor;
    private final DType type;
    private final Layout layout;
    private final float[] before;

    private Output(
        String name, CaseMemory memory, Tensor tensor, DType type, Layout layout, float[] before) {
      this.name = name;
      this.memory = memory;
      this.tensor = tensor;
      this.type = type;
      this.layout = layout;
      this.before = before;
    }

    /** A view of it. */
    public Tensor tensor() {
      return tensor;
    }

    /** The whole buffer, on the host. */
    public MemorySegment segment() {
      return memory.segment();
    }

    private void prefill() {
      int[] bits = Rounding.canaries(type, layout.elements());
      for (int i = 0; before != null && i < before.length; i++) {
        if (!Float.isNaN(before[i])) {
          bits[i] = Rounding.bits(type, before[i]);
        }
      }
      Rounding.writeBits(memory.segment(), type, bits);
      memory.upload();
    }
  }

  private final Device device;
  private final Side guard;
  private final Scope scope; // null where the device computes on the host's memory
  private final List<CaseMemory> memories = new ArrayList<>();
  private final List<Output> outputs = new ArrayList<>();

  /** No buffer yet; {@code guard} is the end of each that touches forbidden memory. */
  public CaseBuffers(Device device, Side guard) {
    this.device = device;
    this.guard = guard;
    scope = Devices.backend(device).hostMemory() ? null : Scope.open(device);
  }

  /** A tensor that is read and not to be written. */
  public Tensor input(DType type, Layout layout, float[] values, int... dims) {
    CaseMemory memory = allocate(type, values.length);
    Rounding.write(memory.segment(), type, values);
    memory.seal();
    return tensor(memory, type, layout, dims);
  }

  /**
   * A tensor that is written.
   *
   * @param name for people
   * @param before what it holds before a run, NaN for the canary; null if that is all
   */
  public Output output(String name, DType type, Layout layout, float[] before, int... dims) {
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
      strides[i] = dims[i] == layout.stride().length ? 1 : layout.stride()[dims[i]];
    }
    long from = layout.isEmpty() ? 0 : layout.offset() * type.byteSize();
    return memory.view(from, type, shape, strides);
  }

  private CaseMemory allocate(DType type, long elements) {
    int size = Rounding.bytes(type);
    CaseMemory memory = CaseMemory.allocate(device, scope, elements * size, guard, size);
    memories.add(memory);
    return memory;
  }

  /** Lengths or offsets. */
  public Tensor ints(int[] values) {
    return ints(values, Layout.dense(1, 1, 1, values.length), 3);
  }

  /** The same of a layout, of which {@code dims} are shown. */
  public Tensor ints(int[] values, Layout layout, int... dims) {
    CaseMemory memory = allocate(DType.INT32, values.length);
    MemorySegment.copy(
        values, 0, memory.segment(), ValueLayout.JAVA_INT_UNALIGNED, 0, values.length);
    memory.seal();
    return tensor(memory, DType.INT32, layout, dims);
  }

  /** Binds the lengths of a case, or where its packed sequences begin. */
  public void bindLengths(SequenceCall<?> call, Geometry g) {
    if (g.packed()) {
      call.cuSeqlens(ints(g.cuQ()), ints(g.cuK()), g.queryLength(), g.keyLength());
    } else if (g.queryLengths() != null) {
      call.queryLengths(ints(g.queryLengths()));
    }
    if (g.hasKeyLengths()) {
      call.keyLengths(ints(g.keyLengths()));
    }
  }

  /**
   * Fills the outputs as they are before a run, runs, and brings them to the host. Says what was
   * written that must not be, or null.
   */
  public String run(Runnable work) {
    outputs.forEach(Output::prefill);
    work.run();
    String damage = null;
    for (CaseMemory memory : memories) {
      String found = memory.download();
      damage = damage == null ? found : damage;
    }
    return damage;
  }

  /** Those that were made so far. */
  List<Output> outputs() {
    return outputs;
  }

  /** Bytes of all outputs, one after the other: two runs with the same bits have the same. */
  public byte[] outputBytes() {
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
  public String compare(List<Expected> expected) {
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

  /** The largest error of a right run in units of what is allowed; in the order of outputs. */
  public double worst(List<Expected> expected) {
    List<Expected> present = expected.stream().filter(Objects::nonNull).toList();
    double worst = 0;
    for (int i = 0; i < outputs.size(); i++) {
      worst = Math.max(worst, Comparison.worstRatio(outputs.get(i).segment(), present.get(i)));
    }
    return worst;
  }

  @Override
  public void close() {
    memories.forEach(CaseMemory::close);
    if (scope != null) {
      scope.close();
    }
  }
}
