package dev.fovea.testkit;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import dev.fovea.OperationBackward;
import dev.fovea.OperationCall;
import dev.fovea.SequenceCall;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * An {@link OperationCase} in guarded memory, bound to the public API: run it as often as wanted,
 * compare.
 */
public final class OperationRun implements AutoCloseable {

  /**
   * What a case is bound to.
   *
   * @param call with all that it reads; with its outputs, if that is what runs
   * @param backward with its outputs; null for the forward pass
   */
  public record Bound(OperationCall<?> call, OperationBackward<?> backward) {}

  private final OperationCase c;
  private final Map<String, float[]> data;
  private final OperandTable table;
  private final CaseBuffers buffers;
  private final List<String> written = new ArrayList<>();
  private final Bound bound;
  private String damage; // by the last run

  /** Lays the operands out in memory of {@code device} and binds them; runs nothing. */
  public OperationRun(OperationCase c, Map<String, float[]> data, Device device) {
    this.c = c;
    this.data = data;
    table = c.table();
    buffers = new CaseBuffers(device, c.guard());
    boolean built = false;
    try {
      bound = c.bind(this);
      bound.call.parallelism(c.parallelism());
      if (bound.call instanceof SequenceCall<?> call && c.caseSizes() instanceof Geometry g) {
        buffers.bindLengths(call, g);
      }
      if (bound.backward != null) {
        OperationCase.Gradients asked = c.gradients();
        bound.backward.accumulate(asked.accumulate()).deterministic(asked.deterministic());
      }
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  /** A tensor that the case reads; null where it has none. */
  public Tensor input(String name) {
    return !c.has(name)
        ? null
        : buffers.input(
            c.type(table.operand(name)), c.layout(name), data.get(name), table.dims(name));
  }

  /** The lengths of sequences that the case reads by that name; null where it has none. */
  public Tensor lengths(String name) {
    int[] lengths = c.caseSizes().lengths(table.operand(name));
    return lengths == null ? null : buffers.ints(lengths);
  }

  /** A tensor that the case writes; null where it has none. */
  public Tensor output(String name) {
    if (!c.has(name)) {
      return null;
    }
    written.add(name);
    return buffers
        .output(name, c.type(table.operand(name)), c.layout(name), data.get(name), table.dims(name))
        .tensor();
  }

  /** The plan of the pass. */
  public AttentionPlan plan() {
    return bound.backward == null ? bound.call.plan() : bound.backward.plan();
  }

  /** Fills the outputs as they are before, runs, and brings them to the host. */
  public OperationRun run() {
    damage = buffers.run(bound.backward == null ? bound.call::run : bound.backward::run);
    return this;
  }

  /** Bytes of all outputs, one after the other: two runs with the same bits have the same. */
  public byte[] outputBytes() {
    return buffers.outputBytes();
  }

  /** What is wrong with the outputs of the last run, or null. */
  public String compare(Map<String, Expected> expected) {
    String wrong = buffers.compare(ordered(expected));
    if (wrong == null && written.contains("top_keys")) {
      wrong = TopWeights.compare(top("weights"), top("top_weights"), top("top_keys"));
    }
    return wrong == null ? damage : wrong;
  }

  private TopWeights.Output top(String name) {
    return TopWeights.Output.of(
        buffers.outputs().get(written.indexOf(name)).segment(), c.layout(name));
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
