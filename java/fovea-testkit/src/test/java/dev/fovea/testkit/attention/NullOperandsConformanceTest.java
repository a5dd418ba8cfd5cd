package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.FoveaCall;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.TestDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * A backward pass without queries, keys or sequences whose caller, of the flat ABI, leaves operands
 * NULL: a run does without them or refuses them by name. Java itself always passes an address.
 */
class NullOperandsConformanceTest {

  private static final NativeOperation OPERATION = NativeAttention.OPERATION;
  private static final MemorySegment NONE = MemorySegment.NULL;

  private final Arena arena = Arena.ofAuto();
  private final MemorySegment spec = FoveaAttentionSpec.allocate(arena);
  private final MemorySegment plan = FoveaPlan.allocate(arena);

  /** One head of 8 columns; nothing optional. */
  private void shape(long batch, long queries, long keys) {
    FoveaAttentionSpec.PASS.set(spec, Abi.BACKWARD);
    FoveaAttentionSpec.DTYPE.set(spec, Abi.FLOAT32);
    FoveaAttentionSpec.HAS_LSE.set(spec, 1);
    FoveaAttentionSpec.BATCH.set(spec, batch);
    FoveaAttentionSpec.QUERY_LENGTH.set(spec, queries);
    FoveaAttentionSpec.KEY_LENGTH.set(spec, keys);
    FoveaAttentionSpec.QUERY_HEADS.set(spec, 1);
    FoveaAttentionSpec.KEY_HEADS.set(spec, 1);
    FoveaAttentionSpec.HEAD_DIM.set(spec, 8);
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, 8);
    FoveaAttentionSpec.DKEY_STRIDE.set(spec, 1, 8);
    FoveaAttentionSpec.DVALUE_STRIDE.set(spec, 1, 8);
  }

  /** What the first phase with work says, given these and no other operand; empty if all ran. */
  private String run(TestDevice on, Map<String, MemorySegment> given) {
    Device device = on.device();
    NativeLibrary library = Devices.backend(device).library();
    int planned = library.plan(OPERATION, spec, Devices.backend(device).info(), plan);
    assertEquals(Abi.OK, planned, () -> FoveaPlan.ERROR.get(plan));
    MemorySegment call = FoveaCall.allocate(arena);
    MemorySegment function = library.runFunction(OPERATION, Abi.BACKWARD);
    MemorySegment[] addresses =
        OPERATION.operands(Abi.BACKWARD).stream()
            .map(operand -> given.getOrDefault(operand.name(), NONE))
            .toArray(MemorySegment[]::new);
    try (Scope scope = Scope.open()) {
      MemorySegment workspace = memory(scope, device, FoveaPlan.WORKSPACE_BYTES.get(plan));
      MemorySegment scratch = memory(scope, device, FoveaPlan.SCRATCH_BYTES.get(plan));
      for (int phase = 0; phase < FoveaPlan.PHASES.get(plan); phase++) {
        FoveaCall.PHASE.set(call, phase);
        FoveaCall.END.set(call, FoveaPlan.ITEMS.get(plan, phase));
        int status =
            OPERATION.run(Abi.BACKWARD, function, plan, call, addresses, workspace, scratch, NONE);
        if (status != Abi.OK) {
          assertEquals(Abi.INVALID_ARGUMENT, status);
          return FoveaCall.ERROR.get(call);
        }
      }
    }
    return "";
  }

  private static MemorySegment memory(Scope scope, Device device, long bytes) {
    return bytes == 0
        ? NONE
        : MemorySegment.ofAddress(scope.allocate(DType.FLOAT32, bytes / 4).on(device).address());
  }

  private void refused(String operand, TestDevice on, Map<String, MemorySegment> given) {
    String refusal = run(on, given);
    assertTrue(refusal.startsWith(operand + " is NULL"), refusal);
  }

  @OnEveryDevice
  void keysThatNoQuerySeesAreNotRead(TestDevice on) {
    shape(1, 0, 3);
    try (Scope scope = Scope.open()) {
      Tensor dkey = scope.allocate(DType.FLOAT32, 3, 8).fill(1).on(on.device());
      Tensor dvalue = scope.allocate(DType.FLOAT32, 3, 8).fill(1).on(on.device());
      MemorySegment never = MemorySegment.ofAddress(64); // no address that anybody may read
      Map<String, MemorySegment> given =
          Map.of(
              "key",
              never,
              "value",
              never,
              "dkey",
              MemorySegment.ofAddress(dkey.address()),
              "dvalue",
              MemorySegment.ofAddress(dvalue.address()));
      assertEquals("", run(on, given));
      assertArrayEquals(new float[24], dkey.toFloatArray());
      assertArrayEquals(new float[24], dvalue.toFloatArray());
    }
  }

  /** A gradient of sinks is that of all heads, each of which looks at its sink. */
  @OnEveryDevice
  void sinksOfNoQueries(TestDevice on) {
    shape(0, 5, 0);
    FoveaAttentionSpec.HAS_SINKS.set(spec, 1);
    FoveaAttentionSpec.HAS_DSINKS.set(spec, 1);
    refused("sinks", on, Map.of());
  }

  @OnEveryDevice
  void offsetsOfNoQueriesAndKeys(TestDevice on) {
    shape(2, 0, 0);
    FoveaAttentionSpec.PACKED.set(spec, 1);
    FoveaAttentionSpec.HAS_SINKS.set(spec, 1);
    FoveaAttentionSpec.HAS_DSINKS.set(spec, 1);
    refused("cu_seqlens_q", on, Map.of("sinks", MemorySegment.ofAddress(64)));
  }

  /** The sum over the positions of no packed sequence is written, whatever the batch stride. */
  @OnEveryDevice
  void dbiasOfNoPackedSequences(TestDevice on) {
    shape(0, 4, 8);
    FoveaAttentionSpec.PACKED.set(spec, 1);
    FoveaAttentionSpec.BIAS_DTYPE.set(spec, Abi.FLOAT32);
    FoveaAttentionSpec.HAS_DBIAS.set(spec, 1);
    FoveaAttentionSpec.DBIAS_STRIDE.set(spec, 0, 8);
    refused("dbias", on, Map.of());
  }
}
