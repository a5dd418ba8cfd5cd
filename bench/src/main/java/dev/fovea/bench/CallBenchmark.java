package dev.fovea.bench;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.FoveaCall;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.Gaussian;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What {@link AttentionCall#run} costs above the downcall inside it: both compute the same
 * attention of one query and one key, which takes the kernel as good as no time, into the same
 * memory.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 4, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 7, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
public class CallBenchmark {

  private static final int HEAD_DIM = 16;

  private final NativeLibrary library = Devices.backend(Device.cpu()).library();
  private Arena arena;
  private dev.fovea.Scope scope;
  private MemorySegment plan;
  private MemorySegment block;
  private final MemorySegment[] addresses =
      new MemorySegment[NativeAttention.OPERATION.operands(Abi.FORWARD).size()];
  private MemorySegment function;
  private MemorySegment workspace;
  private MemorySegment scratch;
  private AttentionCall call;

  /** Makes operands, plan and call, and verifies that both ways give the same, right output. */
  @Setup
  public void setUp() {
    arena = Arena.ofConfined();
    scope = dev.fovea.Scope.open();
    Tensor[] operands = new Tensor[4];
    Gaussian random = new Gaussian(1);
    for (int i = 0; i < operands.length; i++) {
      operands[i] = scope.allocate(DType.FLOAT32, 1, 1, 1, HEAD_DIM);
      for (int d = 0; d < HEAD_DIM; d++) {
        operands[i].setFloat(random.nextNormal(), 0, 0, 0, d);
      }
    }
    Arrays.fill(addresses, MemorySegment.NULL);
    for (int i = 0; i < 3; i++) {
      addresses[i] = operands[i].segment();
    }
    List<Operand> all = NativeAttention.OPERATION.operands(Abi.FORWARD);
    addresses[all.stream().map(Operand::name).toList().indexOf("out")] = operands[3].segment();
    plan = plan();
    function = library.runFunction(NativeAttention.OPERATION, Abi.FORWARD);
    block = FoveaCall.allocate(arena);
    FoveaCall.END.set(block, FoveaPlan.ITEMS.get(plan, 0));
    workspace = memory(FoveaPlan.WORKSPACE_BYTES.get(plan));
    scratch = memory(FoveaPlan.SCRATCH_BYTES.get(plan));
    call =
        Attention.create()
            .call(operands[0], operands[1], operands[2])
            .out(operands[3])
            .parallelism(1);
    if (!call.plan().kernel().equals(FoveaPlan.KERNEL.get(plan))) {
      throw new IllegalStateException("two kernels: " + call.plan() + " is not the bare one's");
    }
    verify(this::bareDowncall, operands[2], operands[3]);
    verify(this::attentionCall, operands[2], operands[3]);
  }

  /** With one key, attention is its value. */
  private static void verify(Runnable run, Tensor value, Tensor out) {
    out.fill(Float.NaN);
    run.run();
    if (value.segment().mismatch(out.segment()) >= 0) {
      throw new WrongOutputException("attention to one key did not give its value");
    }
  }

  private MemorySegment plan() {
    MemorySegment spec = FoveaAttentionSpec.allocate(arena);
    FoveaAttentionSpec.DTYPE.set(spec, Abi.FLOAT32);
    FoveaAttentionSpec.BATCH.set(spec, 1);
    FoveaAttentionSpec.QUERY_LENGTH.set(spec, 1);
    FoveaAttentionSpec.KEY_LENGTH.set(spec, 1);
    FoveaAttentionSpec.QUERY_HEADS.set(spec, 1);
    FoveaAttentionSpec.KEY_HEADS.set(spec, 1);
    FoveaAttentionSpec.HEAD_DIM.set(spec, HEAD_DIM);
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, HEAD_DIM);
    for (int i = 0; i < 3; i++) {
      FoveaAttentionSpec.QUERY_STRIDE.set(spec, i, HEAD_DIM);
      FoveaAttentionSpec.KEY_STRIDE.set(spec, i, HEAD_DIM);
      FoveaAttentionSpec.VALUE_STRIDE.set(spec, i, HEAD_DIM);
      FoveaAttentionSpec.OUT_STRIDE.set(spec, i, HEAD_DIM);
    }
    MemorySegment block = FoveaPlan.allocate(arena);
    int status =
        library.plan(NativeAttention.OPERATION, spec, Devices.backend(Device.cpu()).info(), block);
    if (status != Abi.OK || FoveaPlan.PHASES.get(block) != 1) {
      throw new IllegalStateException(
          "status %d, %d phases: %s"
              .formatted(status, FoveaPlan.PHASES.get(block), FoveaPlan.ERROR.get(block)));
    }
    return block;
  }

  private MemorySegment memory(long bytes) {
    return arena.allocate(Math.max(1, bytes), Abi.ALIGNMENT);
  }

  /** The binding alone, with everything resolved beforehand. */
  @Benchmark
  public int bareDowncall() {
    return NativeAttention.OPERATION.run(
        Abi.FORWARD, function, plan, block, addresses, workspace, scratch, MemorySegment.NULL);
  }

  /** The public API, with its plan made and its operands bound. */
  @Benchmark
  public void attentionCall() {
    call.run();
  }

  /** Frees the memory. */
  @TearDown
  public void tearDown() {
    scope.close();
    arena.close();
  }
}
