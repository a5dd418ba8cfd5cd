package dev.fovea.testkit.image;

import dev.fovea.AttentionPlan;
import dev.fovea.ChannelAttention;
import dev.fovea.ChannelBackward;
import dev.fovea.ChannelCall;
import dev.fovea.Device;
import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.SpatialAttention;
import dev.fovea.SpatialBackward;
import dev.fovea.SpatialCall;
import dev.fovea.Tensor;
import dev.fovea.testkit.CaseBuffers;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.OperandTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A case in guarded memory, bound to the public API: run it as often as wanted, compare. */
public final class ImageRun implements AutoCloseable {

  private final ImageCase c;
  private final Operands data;
  private final OperandTable table;
  private final CaseBuffers buffers;
  private final List<String> written = new ArrayList<>();
  private final OperationCall<?> call;
  private final OperationBackward<?> backward; // null: the forward pass
  private String damage; // by the last run

  /** Lays the operands out in memory of {@code device} and binds them; runs nothing. */
  public ImageRun(ImageCase c, Operands data, Device device) {
    this.c = c;
    this.data = data;
    table = c.table();
    buffers = new CaseBuffers(device, c.guard());
    boolean built = false;
    try {
      call = c.kind() == ImageCase.Kind.CHANNEL ? bindChannel() : bindSpatial();
      call.parallelism(c.parallelism());
      backward =
          !c.isBackward()
              ? null
              : call instanceof ChannelCall channel
                  ? gradients(channel)
                  : gradients((SpatialCall) call);
      if (backward == null) {
        call.out(output("out"));
      } else {
        backward
            .accumulate(c.gradients().accumulate())
            .deterministic(c.gradients().deterministic());
      }
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  private ChannelCall bindChannel() {
    return ChannelAttention.create()
        .outDType(c.outDType())
        .call(input("x"), input("weight1"), input("weight2"))
        .bias1(input("bias1"))
        .bias2(input("bias2"));
  }

  private SpatialCall bindSpatial() {
    return SpatialAttention.create()
        .outDType(c.outDType())
        .call(input("x"), input("weight"))
        .bias(input("bias"));
  }

  private ChannelBackward gradients(ChannelCall call) {
    return call.gradients(input("dout"))
        .dx(output("dx"))
        .dweight1(output("dweight1"))
        .dbias1(output("dbias1"))
        .dweight2(output("dweight2"))
        .dbias2(output("dbias2"));
  }

  private SpatialBackward gradients(SpatialCall call) {
    return call.gradients(input("dout"))
        .dx(output("dx"))
        .dweight(output("dweight"))
        .dbias(output("dbias"));
  }

  /** Null where the case has none. */
  private Tensor input(String name) {
    return !c.has(name)
        ? null
        : buffers.input(
            c.type(table.operand(name)), c.layout(name), data.get(name), table.dims(name));
  }

  /** Null where the case has none. */
  private Tensor output(String name) {
    if (!c.has(name)) {
      return null;
    }
    written.add(name);
    return buffers
        .output(name, c.type(table.operand(name)), c.layout(name), data.get(name), table.dims(name))
        .tensor();
  }

  /** The bound call, for tests that set its executor or parallelism. */
  public OperationCall<?> call() {
    return call;
  }

  /** The plan of the pass. */
  public AttentionPlan plan() {
    return backward == null ? call.plan() : backward.plan();
  }

  /** Fills the outputs as they are before, runs, and brings them to the host. */
  public ImageRun run() {
    damage = buffers.run(backward == null ? call::run : backward::run);
    return this;
  }

  /** Bytes of all outputs, one after the other: two runs with the same bits have the same. */
  public byte[] outputBytes() {
    return buffers.outputBytes();
  }

  /** What is wrong with the outputs of the last run, or null. */
  public String compare(Map<String, Expected> expected) {
    String wrong = buffers.compare(ordered(expected));
    return wrong == null ? damage : wrong;
  }

  /** The largest error of the last run in units of what is allowed. */
  public double worst(Map<String, Expected> expected) {
    return buffers.worst(ordered(expected));
  }

  private List<Expected> ordered(Map<String, Expected> expected) {
    return written.stream().map(expected::get).toList();
  }

  @Override
  public void close() {
    buffers.close();
  }
}
