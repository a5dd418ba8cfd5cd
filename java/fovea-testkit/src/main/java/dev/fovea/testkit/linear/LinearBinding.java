package dev.fovea.testkit.linear;

import dev.fovea.AttentionPlan;
import dev.fovea.Device;
import dev.fovea.LinearAttention;
import dev.fovea.LinearBackward;
import dev.fovea.LinearCall;
import dev.fovea.Tensor;
import dev.fovea.testkit.CaseBuffers;
import dev.fovea.testkit.CaseBuffers.Output;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.OperandTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A case in guarded memory, bound to the public API: run it as often as wanted, compare. */
public final class LinearRun implements AutoCloseable {

  private final LinearCase c;
  private final Operands data;
  private final OperandTable table;
  private final CaseBuffers buffers;
  private final List<String> written = new ArrayList<>();
  private final LinearCall call;
  private final LinearBackward backward; // null: the forward pass
  private String damage; // by the last run

  /** Lays the operands out in memory of {@code device} and binds them; runs nothing. */
  public LinearRun(LinearCase c, Operands data, Device device) {
    this.c = c;
    this.data = data;
    table = c.table();
    buffers = new CaseBuffers(device, c.guard());
    boolean built = false;
    try {
      call =
          attention(c.options())
              .call(input("query"), input("key"), input("value"))
              .decay(input("decay"))
              .keyDecay(input("key_decay"))
              .beta(input("beta"))
              .initialState(input("initial_state"))
              .initialSum(input("initial_sum"))
              .parallelism(c.parallelism());
      bindLengths();
      backward = c.isBackward() ? bindBackward() : null;
      if (backward == null) {
        call.out(output("out")).finalState(output("final_state")).finalSum(output("final_sum"));
      }
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  private static LinearAttention attention(Options o) {
    LinearAttention.Builder builder =
        LinearAttention.builder()
            .causal(o.causal())
            .normalised(o.normalised())
            .featureMap(o.featureMap())
            .outDType(o.outDType());
    return (o.scale() == null ? builder : builder.scale(o.scale())).build();
  }

  private void bindLengths() {
    Geometry g = c.geometry();
    if (g.packed()) {
      Tensor queries = buffers.ints(g.cuQ());
      call.cuSeqlens(queries, buffers.ints(g.cuK()), g.queryLength(), g.keyLength());
    } else if (g.queryLengths() != null) {
      call.queryLengths(buffers.ints(g.queryLengths()));
    }
    if (g.hasKeyLengths()) {
      call.keyLengths(buffers.ints(g.keyLengths()));
    }
  }

  private LinearBackward bindBackward() {
    return call.gradients(input("dout"), input("out"))
        .accumulate(c.gradients().accumulate())
        .deterministic(c.gradients().deterministic())
        .dquery(output("dquery"))
        .dkey(output("dkey"))
        .dvalue(output("dvalue"))
        .ddecay(output("ddecay"))
        .dkeyDecay(output("dkey_decay"))
        .dbeta(output("dbeta"))
        .dinitialState(output("dinitial_state"))
        .dinitialSum(output("dinitial_sum"));
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
    Output output =
        buffers.output(
            name, c.type(table.operand(name)), c.layout(name), data.get(name), table.dims(name));
    written.add(name);
    return output.tensor();
  }

  /** The bound call, for tests that set its executor or parallelism. */
  public LinearCall call() {
    return call;
  }

  /** The plan of the pass. */
  public AttentionPlan plan() {
    return backward == null ? call.plan() : backward.plan();
  }

  /** Fills the outputs as they are before, runs, and brings them to the host. */
  public LinearRun run() {
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
