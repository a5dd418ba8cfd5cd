package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.GuardedMemory.Side;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Guards guard. */
class GuardedMemoryTest {

  @ParameterizedTest
  @EnumSource
  void everyByteIsUsable(Side side) {
    for (long bytes : new long[] {0, 1, 2, 4, 100, 4095, 4096, 4097, 70_000}) {
      try (GuardedMemory memory = GuardedMemory.allocate(bytes, side, 1)) {
        assertEquals(bytes, memory.segment().byteSize());
        long edge = memory.segment().address() + (side == Side.END ? bytes : 0);
        assertEquals(0, edge % 4096);
        memory.segment().fill((byte) 1);
        assertTrue(memory.slackIntact());
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  @SuppressWarnings("restricted")
  void slackIsWatched(Side side) {
    try (GuardedMemory memory = GuardedMemory.allocate(100, side, 4)) {
      MemorySegment all =
          MemorySegment.ofAddress(memory.segment().address() & -4096).reinterpret(4096);
      long outside = memory.segment().address() % 4096 + (side == Side.END ? -1 : 100);
      all.set(ValueLayout.JAVA_BYTE, outside, (byte) 1);
      assertFalse(memory.slackIntact());
    }
  }

  /** Runs the probe below in its own JVM; the JDK turns a fault inside an access into an error. */
  @ParameterizedTest
  @EnumSource
  void aByteOutsideKills(Side side) throws Exception {
    assertNotEquals(0, Probe.start(side.name(), "outside"));
    assertNotEquals(0, Probe.start(side.name(), "sealed"));
  }

  @Test
  void aByteInsideDoesNot() throws Exception {
    assertEquals(0, Probe.start("END", "inside"));
  }
}
