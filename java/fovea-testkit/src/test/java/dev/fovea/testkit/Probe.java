package dev.fovea.testkit;

import dev.fovea.Device;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.testkit.GuardedMemory.Side;
import java.io.File;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;

/** A process that touches guarded memory from native code and lives or dies. */
final class Probe {

  private Probe() {}

  /** Exit code of a probe. */
  static int start(String... arguments) throws Exception {
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-XX:-CreateCoredumpOnCrash",
                    "-XX:ErrorFile=/dev/null",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    classPath(),
                    Probe.class.getName(),
                    arguments[0],
                    arguments[1]))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return process.waitFor();
  }

  /** Where the classes of the tests, of the test kit and of Fovea are, modules or not. */
  static String classPath() throws Exception {
    return String.join(
        File.pathSeparator,
        place(Probe.class),
        place(GuardedMemory.class),
        place(Device.class),
        place(NativeOperation.class),
        System.getProperty("java.class.path", ""));
  }

  private static String place(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  /** Writes one byte by memset: inside, outside, or into sealed memory. */
  @SuppressWarnings("restricted")
  public static void main(String[] arguments) throws Throwable {
    Side side = Side.valueOf(arguments[0]);
    Linker linker = Linker.nativeLinker();
    MethodHandle memset =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("memset"),
            FunctionDescriptor.of(
                ValueLayout.ADDRESS,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG));
    GuardedMemory memory = GuardedMemory.allocate(100, side, 1);
    long address = memory.segment().address() + (side == Side.END ? 99 : 0);
    if (arguments[1].equals("outside")) {
      address += side == Side.END ? 1 : -1;
    }
    if (arguments[1].equals("sealed")) {
      memory.seal();
    }
    MemorySegment unused =
        (MemorySegment) memset.invokeExact(MemorySegment.ofAddress(address), 1, 1L);
    if (unused.address() != address) {
      throw new AssertionError();
    }
  }
}
