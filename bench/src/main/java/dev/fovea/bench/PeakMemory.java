package dev.fovea.bench;

import dev.fovea.bench.Interleaved.Work;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * The most memory that a piece of work has at once, beyond what the process has before: by the
 * kernel's mark of the most resident pages, which can be set back.
 */
final class PeakMemory {

  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path CLEAR = Path.of("/proc/self/clear_refs");
  private static final String CLEAR_PEAK = "5";

  private PeakMemory() {}

  /** Bytes; empty where the kernel does not let its mark be set back. */
  static OptionalLong of(Work work) throws Exception {
    trim();
    long before = read("VmRSS");
    try {
      Files.writeString(CLEAR, CLEAR_PEAK);
    } catch (IOException e) {
      return OptionalLong.empty();
    }
    work.run();
    return OptionalLong.of(read("VmHWM") - before);
  }

  /** What the allocator keeps would hide what the work asks of it. */
  @SuppressWarnings("restricted")
  private static void trim() {
    Linker linker = Linker.nativeLinker();
    MethodHandle trim =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("malloc_trim"),
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
    try {
      int unused = (int) trim.invokeExact(0L);
    } catch (Throwable e) {
      throw new LinkageError("malloc_trim", e);
    }
  }

  private static long read(String name) throws IOException {
    return Files.readAllLines(STATUS).stream()
        .filter(line -> line.startsWith(name + ":"))
        .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow(() -> new IOException(STATUS + " has no " + name));
  }
}
