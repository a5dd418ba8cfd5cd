package dev.fovea.cli.memory;

import com.sun.management.OperatingSystemMXBean;
import dev.fovea.DType;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;

/**
 * What a command is going to take in memory, added up before it is taken: a system that runs out of
 * it ends a process without a word.
 */
public final class MemoryNeed {

  /** So much is everywhere; asking takes longer than most commands. */
  private static final double UNASKED = 1 << 26;

  private double bytes;

  /**
   * Adds a tensor.
   *
   * @param what its name in a refusal
   * @throws IllegalArgumentException if all that was added is more than the machine, or the
   *     container, has
   */
  public void add(String what, DType type, long... shape) {
    double size = type.byteSize();
    for (long length : shape) {
      size *= length;
    }
    bytes += size;
    if (bytes <= UNASKED) {
      return;
    }
    double there =
        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    if (bytes > there) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%.1f GB for %s %s, %.1f GB with the rest, are more than the %.1f GB of memory here",
              size * 1e-9,
              what,
              Arrays.toString(shape),
              bytes * 1e-9,
              there * 1e-9));
    }
  }
}
