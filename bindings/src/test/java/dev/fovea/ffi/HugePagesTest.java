package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class HugePagesTest {
  private static final long PAGE = 2L << 20;

  @Test
  void memoryIsZeroedAlignedAndOfTheSizeAsked() {
    for (long bytes : new long[] {HugePages.LEAST, HugePages.LEAST + 1, 3 * PAGE - 1, 9 * PAGE}) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment memory = HugePages.allocate(bytes, arena);
        assertEquals(bytes, memory.byteSize());
        assertEquals(0, memory.address() % PAGE);
        for (long at = 0; at < bytes; at += 4096) {
          assertEquals(0, memory.get(ValueLayout.JAVA_BYTE, at));
        }
        memory.fill((byte) 1); // to the last byte
        assertThrows(
            IndexOutOfBoundsException.class, () -> memory.get(ValueLayout.JAVA_BYTE, bytes));
      }
    }
  }

  @Test
  void anArenaGivesItBack() throws IOException {
    MemorySegment memory;
    try (Arena arena = Arena.ofShared()) {
      memory = HugePages.allocate(HugePages.LEAST, arena);
      assertTrue(isMapped(memory.address()));
    }
    assertFalse(isMapped(memory.address()));
    assertThrows(IllegalStateException.class, () -> memory.get(ValueLayout.JAVA_BYTE, 0));
  }

  /** Of this process, by the kernel's table. */
  private static boolean isMapped(long address) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .map(line -> line.split(" ")[0].split("-"))
        .anyMatch(
            range ->
                Long.parseUnsignedLong(range[0], 16) <= address
                    && address < Long.parseUnsignedLong(range[1], 16));
  }

  @Test
  void tooMuchIsRefused() {
    try (Arena arena = Arena.ofConfined()) {
      OutOfMemoryError thrown =
          assertThrows(OutOfMemoryError.class, () -> HugePages.allocate(1L << 50, arena));
      assertTrue(thrown.getMessage().contains("bytes"), thrown.getMessage());
    }
  }
}
