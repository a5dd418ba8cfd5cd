package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaCall;
import dev.fovea.ffi.FoveaPlan;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A file alone, read by the declaration, is enough to run a case against the C ABI. */
class CaseFileTest {

  private final DeviceBackend cpu = Devices.backend(Device.cpu());
  private final Arena arena = Arena.ofAuto();

  private static byte[] bytes(ByteBuffer file, long count) {
    byte[] some = new byte[Math.toIntExact(count)];
    file.get(some);
    return some;
  }

  private MemorySegment copy(byte[] bytes) {
    MemorySegment memory = arena.allocate(Math.max(1, bytes.length), Abi.ALIGNMENT);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, 0, bytes.length);
    return memory;
  }

  /** An operand that is written, as the file has it. */
  private final class Output {
    final int size; // of an element
    final int canary;
    final int elements;
    final MemorySegment memory;
    final MemorySegment first; // element 0
    final byte[] states;
    final double[] values;
    final double[] allowed;

    Output(ByteBuffer file) {
      size = file.getInt() == Abi.FLOAT32 ? 4 : 2;
      canary = file.getInt();
      long offset = file.getLong();
      elements = Math.toIntExact(file.getLong());
      byte[] before = new byte[elements * size];
      if (file.getInt() == 1) {
        file.get(before);
      } else {
        ByteBuffer pattern = ByteBuffer.wrap(before).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < elements; i++) {
          if (size == 4) {
            pattern.putInt(canary);
          } else {
            pattern.putShort((short) canary);
          }
        }
      }
      memory = copy(before);
      first = memory.asSlice(offset);
      states = bytes(file, elements);
      values = new double[elements];
      allowed = new double[elements];
      for (int i = 0; i < elements; i++) {
        if (states[i] == Expected.COMPARE) {
          values[i] = file.getDouble();
          allowed[i] = file.getDouble();
        }
      }
      file.getDouble(); // the root mean square that is allowed
    }

    void check(DType type, String what) {
      int[] all = Rounding.bits(memory, type, elements);
      for (int i = 0; i < elements; i++) {
        int bits = all[i];
        double got = Rounding.value(type, bits);
        boolean right =
            switch (states[i]) {
              case Expected.UNTOUCHED -> bits == canary;
              case Expected.FREE -> true;
              default ->
                  Double.compare(got, values[i]) == 0 || Math.abs(got - values[i]) <= allowed[i];
            };
        assertTrue(right || Double.isNaN(values[i]) && Double.isNaN(got), what + " " + i);
      }
    }
  }

  private void replay(PairCase c, ByteBuffer file) {
    assertEquals("FOVCASE2", new String(bytes(file, 8), StandardCharsets.US_ASCII));
    NativeOperation operation = c.operation();
    assertEquals(operation.id(), file.getInt());
    String words = new String(bytes(file, file.getInt()), StandardCharsets.UTF_8);
    assertEquals(c.repeat() + " " + c, words);
    MemorySegment plan = FoveaPlan.allocate(arena);
    MemorySegment spec = copy(bytes(file, file.getInt()));
    int status = cpu.library().plan(operation, spec, cpu.info(), plan);
    assertEquals(Abi.OK, status, () -> FoveaPlan.ERROR.get(plan) + ": " + c);
    MemorySegment call = FoveaCall.allocate(arena);
    FoveaCall.DROPOUT_SEED.set(call, file.getLong());
    FoveaCall.DROPOUT_OFFSET.set(call, file.getInt());
    int pass = operation.pass().get(spec);
    List<Operand> operands = operation.operands(pass);
    MemorySegment[] addresses = new MemorySegment[operands.size()];
    Map<Operand, Output> outputs = new LinkedHashMap<>();
    long present = 0;
    for (int i = 0; i < addresses.length; i++) {
      boolean there = file.getInt() == 1;
      addresses[i] = MemorySegment.NULL;
      present |= there ? 1L << i : 0;
      if (there && operands.get(i).written()) {
        Output output = new Output(file);
        outputs.put(operands.get(i), output);
        addresses[i] = output.first;
      } else if (there) {
        long offset = file.getLong();
        addresses[i] = copy(bytes(file, file.getLong())).asSlice(offset);
      }
    }
    assertFalse(file.hasRemaining(), c.toString());
    assertEquals(FoveaPlan.ALLOWED.get(plan), present, c.toString());
    run(operation, pass, plan, call, addresses);
    outputs.forEach((operand, output) -> output.check(c.type(operand), operand.name() + " " + c));
  }

  private void run(
      NativeOperation operation,
      int pass,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] addresses) {
    MemorySegment workspace =
        arena.allocate(Math.max(1, FoveaPlan.WORKSPACE_BYTES.get(plan)), Abi.ALIGNMENT);
    MemorySegment scratch =
        arena.allocate(Math.max(1, FoveaPlan.SCRATCH_BYTES.get(plan)), Abi.ALIGNMENT);
    MemorySegment function = cpu.library().runFunction(operation, pass);
    for (int phase = 0; phase < FoveaPlan.PHASES.get(plan); phase++) {
      FoveaCall.PHASE.set(call, phase);
      FoveaCall.BEGIN.set(call, 0);
      FoveaCall.END.set(call, FoveaPlan.ITEMS.get(plan, phase));
      int status =
          operation.run(
              pass, function, plan, call, addresses, workspace, scratch, MemorySegment.NULL);
      assertEquals(Abi.OK, status, () -> FoveaCall.ERROR.get(call));
    }
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void filesHoldAllThatARunNeeds(Pass pass) throws Exception {
    for (int i = 0; i < 120; i++) {
      Kind kind = Kind.values()[i % 2];
      PairCase c = CaseGenerator.generate(kind, pass, 13, i, Limits.SIM);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      CaseFile.write(bytes, c, "cpu");
      replay(c, ByteBuffer.wrap(bytes.toByteArray()).order(ByteOrder.LITTLE_ENDIAN));
    }
  }
}
