package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.spi.DeviceBackend;
import dev.fovea.testkit.Limits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases on a device whose memory the host does not see: the CPU's library, and copies. */
class CaseMemoryTest {

  private static final int CASES = 25;

  private static final class Elsewhere implements DeviceBackend {
    private final DeviceBackend cpu = Devices.backend(Device.cpu());
    final List<MemorySegment> allocated = new ArrayList<>();

    @Override
    public String name() {
      return "cpu:elsewhere";
    }

    @Override
    public String description() {
      return "the CPU with memory of its own";
    }

    @Override
    public NativeLibrary library() {
      return cpu.library();
    }

    @Override
    public MemorySegment info() {
      return cpu.info();
    }

    @Override
    public boolean hostMemory() {
      return false;
    }

    @Override
    public MemorySegment allocate(long bytes, Arena arena) {
      allocated.add(arena.allocate(bytes, 256));
      return allocated.getLast();
    }

    @Override
    public void copyIn(MemorySegment host, MemorySegment device) {
      device.copyFrom(host);
    }

    @Override
    public void copyOut(MemorySegment device, MemorySegment host) {
      host.copyFrom(device);
    }

    @Override
    public MemorySegment stream() {
      return MemorySegment.NULL;
    }
  }

  private final Elsewhere backend = new Elsewhere();
  private final Device device = Devices.of(backend);

  @Test
  void casesRunInTheMemoryOfTheDevice() {
    for (int i = 0; i < CASES; i++) {
      AttentionCase c = CaseGenerator.generate(21, i, Limits.CPU);
      assertNull(c.check(device).wrong(), c::toString);
    }
    assertTrue(backend.allocated.size() > 4 * CASES);
  }

  /** Query, key, value and out are the first four buffers; out is dense and written completely. */
  @Test
  void whatIsWrittenBesideABufferIsFound() {
    AttentionCase c = new CaseBuilder().lengths(1, 8, 8).headDim(16).build();
    Operands data = Operands.of(c);
    Oracle.Outputs expected = Oracle.run(c, data, Precision.CPU);
    long bytes = 4L * data.query().length;
    try (CaseRun run = new CaseRun(c, data, device)) {
      assertNull(run.run().compare(expected));
      MemorySegment query = backend.allocated.get(0);
      long lead = query.byteSize() - bytes - 512; // what is behind a buffer of whole words
      flip(query, lead - 1);
      assertEquals("byte -1 of a buffer of " + bytes + " was written", run.run().compare(expected));
      flip(query, lead - 1);
      flip(query, lead + bytes);
      assertEquals(
          "byte " + bytes + " of a buffer of " + bytes + " was written",
          run.run().compare(expected));
      flip(query, lead + bytes);
      assertNull(run.run().compare(expected));
      flip(query, lead); // an input changes between the runs: some result is wrong, and so is it
      assertTrue(run.run().compare(expected) != null);
      flip(query, lead);
      assertNull(run.run().compare(expected));
    }
  }

  @Test
  void anInputThatIsWrittenIsFound() {
    AttentionCase c = new CaseBuilder().lengths(1, 1, 1).headDim(16).outputs(false, false).build();
    Operands data = Operands.of(c);
    try (CaseRun run = new CaseRun(c, data, device)) {
      MemorySegment query = backend.allocated.get(0);
      // With one key the query does not matter.
      flip(query, query.byteSize() - 512 - 1);
      String wrong = run.run().compare(Oracle.run(c, data, Precision.CPU));
      assertEquals("an input of 64 bytes was written", wrong);
    }
  }

  private static void flip(MemorySegment memory, long at) {
    byte value = memory.get(ValueLayout.JAVA_BYTE, at);
    memory.set(ValueLayout.JAVA_BYTE, at, (byte) (value ^ 1));
  }
}
