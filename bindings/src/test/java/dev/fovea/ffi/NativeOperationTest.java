package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What declarations say of passes, and of operands in place. */
class NativeOperationTest {

  private static final int DONE = 7;

  private static final StructLayout SPEC =
      MemoryLayout.structLayout(
          Stream.of("size", "pass", "dtype", "out_dtype", "gradient_dtype")
              .map(it -> ValueLayout.JAVA_INT.withName(it))
              .toArray(MemoryLayout[]::new));

  /** Adds x to a sum. */
  private static final class Adding extends NativeOperation {
    Adding() {
      super(
          "adding",
          1,
          SPEC,
          List.of(),
          null,
          List.of(
              new Operand("x", Type.SPEC, false, null, null, null, List.of(Dim.ONE)),
              new Operand(
                  "sum", Type.FLOAT32, true, null, null, null, List.of(Dim.ONE), true, false)));
    }

    @Override
    int forward(
        MemorySegment function,
        MemorySegment plan,
        MemorySegment call,
        MemorySegment[] operands,
        MemorySegment workspace,
        MemorySegment scratch,
        MemorySegment stream) {
      return DONE;
    }
  }

  private static int run(NativeOperation operation, int pass) {
    MemorySegment none = MemorySegment.NULL;
    return operation.run(pass, none, none, none, new MemorySegment[0], none, none, none);
  }

  @Test
  void anOperationMayHaveAForwardPassAlone() {
    NativeOperation adding = new Adding();
    assertFalse(adding.hasBackward());
    assertEquals(List.of(), adding.operands(Abi.BACKWARD));
    assertEquals(Set.of("x", "sum"), adding.operandNames());
    assertFalse(adding.saves());
    assertNull(adding.accumulate());
    assertNull(adding.deterministic());
    assertEquals(DONE, run(adding, Abi.FORWARD));
    assertEquals(
        "adding has no backward pass",
        assertThrows(UnsupportedOperationException.class, () -> run(adding, Abi.BACKWARD))
            .getMessage());
    assertTrue(NativeAttention.OPERATION.hasBackward());
  }

  @Test
  void whatIsInPlaceIsWritten() {
    List<Operand> operands = new Adding().operands(Abi.FORWARD);
    assertFalse(operands.getFirst().written() || operands.getFirst().inPlace());
    assertTrue(operands.getLast().written() && operands.getLast().inPlace());
    for (int pass : List.of(Abi.FORWARD, Abi.BACKWARD)) {
      assertTrue(NativeAttention.OPERATION.operands(pass).stream().noneMatch(Operand::inPlace));
    }
  }
}
