package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class PeakMemoryTest {

  private static final long MEBIBYTE = 1 << 20;

  @Test
  void seesWhatIsFreeAgain() throws Exception {
    OptionalLong peak =
        PeakMemory.of(
            () -> {
              for (int i = 0; i < 3; i++) {
                try (Arena arena = Arena.ofConfined()) {
                  arena.allocate(100 * MEBIBYTE).fill((byte) 1);
                }
              }
            });
    assumeTrue(peak.isPresent(), "the kernel does not let its mark be set back");
    assertTrue(peak.getAsLong() >= 99 * MEBIBYTE, "bytes: " + peak);
    assertTrue(peak.getAsLong() < 200 * MEBIBYTE, "bytes: " + peak);
    long none = PeakMemory.of(() -> {}).orElseThrow();
    assertTrue(none < 50 * MEBIBYTE, "bytes: " + none);
  }
}
