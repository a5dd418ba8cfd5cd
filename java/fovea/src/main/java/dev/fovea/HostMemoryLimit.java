package dev.fovea;

import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How much of the host's memory scopes may hold.
 *
 * @param bytes at most
 * @param origin who says so, for people
 */
record HostMemoryLimit(long bytes, String origin) {
  static final String PROPERTY = "fovea.memory.limit";

  /** Nobody is asked below this: loading what knows the container takes some 50 ms. */
  static final long SMALL = 64L << 20;

  private static final Pattern SIZE = Pattern.compile("(\\d{1,18})([kmgt]?)");
  private static final String UNITS = "kmgt";

  private static volatile HostMemoryLimit known; // null: nobody has asked yet

  /**
   * What the property says, else three quarters of the memory that the JVM sees: the container's,
   * or the machine's. The last quarter is what the heap may take if nobody says otherwise.
   *
   * @throws IllegalArgumentException if the property is not a size; then at every call
   */
  static HostMemoryLimit get() {
    HostMemoryLimit limit = known;
    if (limit == null) { // two threads may both make one: they are equal
      String text = System.getProperty(PROPERTY);
      limit = text == null ? ofMemory(visibleMemory()) : parse(text);
      known = limit;
    }
    return limit;
  }

  /** True if {@code bytes} are below every limit that may be found. */
  static boolean surelyAllows(long bytes) {
    return bytes >= 0 && bytes <= SMALL && known == null && System.getProperty(PROPERTY) == null;
  }

  /** Bytes, or with a suffix of {@code kmgt} their multiples by powers of 1024, as after -Xmx. */
  static HostMemoryLimit parse(String text) {
    Matcher matcher = SIZE.matcher(text.toLowerCase(Locale.ROOT));
    if (matcher.matches()) {
      long number = Long.parseLong(matcher.group(1));
      int shift = matcher.group(2).isEmpty() ? 0 : 10 * (UNITS.indexOf(matcher.group(2)) + 1);
      if (number > 0 && number <= Long.MAX_VALUE >> shift) {
        return new HostMemoryLimit(number << shift, "-D" + PROPERTY + "=" + text);
      }
    }
    throw new IllegalArgumentException(
        "-D%s=%s is not a size such as 512m or 8g".formatted(PROPERTY, text));
  }

  static HostMemoryLimit ofMemory(long memory) {
    return new HostMemoryLimit(
        memory / 4 * 3, "three quarters of the %,d that this JVM sees".formatted(memory));
  }

  /** Limits of control groups, version 1 and 2, taken into account. */
  private static long visibleMemory() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : Long.MAX_VALUE;
  }
}
