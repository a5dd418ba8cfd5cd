package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.ffi.NativeOperations;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A device whose library computes nothing: a backward run writes down what it was given, in the
 * memory of query. What it plans is in recorder.cpp.
 */
final class Recorder {
  private static final NativeLibrary LIBRARY = load();

  static final Device DEVICE = Device.of(new FakeBackend("recorder", LIBRARY));

  /** Operands in the order of {@code fovea.h}, then workspace, scratch and stream. */
  private static final int ADDRESSES = 22;

  private static final int WORKSPACE = 19;
  private static final int SCRATCH = 20;

  /** One native call. */
  record Entry(long phase, long begin, long end, long seed, long offset, List<Long> addresses) {
    List<Long> operands() {
      return addresses.subList(0, WORKSPACE);
    }

    long workspace() {
      return addresses.get(WORKSPACE);
    }

    long scratch() {
      return addresses.get(SCRATCH);
    }
  }

  private Recorder() {}

  /** A device of its own, whose work is queued in {@code streams}. */
  static Device with(FakeStreams streams) {
    return Device.of(new FakeBackend("recorder", LIBRARY, streams));
  }

  /** What was written to {@code query}, which is then empty. */
  static List<Entry> take(Tensor query) {
    MemorySegment log = query.segment();
    List<Entry> entries = new ArrayList<>();
    long at = 1;
    for (long i = 0; i < log.getAtIndex(ValueLayout.JAVA_LONG, 0); i++) {
      long[] head = new long[5];
      for (int field = 0; field < head.length; field++) {
        head[field] = log.getAtIndex(ValueLayout.JAVA_LONG, at++);
      }
      List<Long> addresses = new ArrayList<>();
      for (int address = 0; address < ADDRESSES; address++) {
        addresses.add(log.getAtIndex(ValueLayout.JAVA_LONG, at++));
      }
      entries.add(new Entry(head[0], head[1], head[2], head[3], head[4], addresses));
    }
    log.fill((byte) 0);
    return entries;
  }

  /** Needs g++, as the build of the real libraries does. */
  private static NativeLibrary load() {
    try {
      Path folder = Files.createTempDirectory("recorder");
      Path source = folder.resolve("recorder.cpp");
      Path library = folder.resolve(System.mapLibraryName("fovea_recorder"));
      try (var in = Recorder.class.getResourceAsStream("recorder.cpp")) {
        Files.copy(in, source);
      }
      Path others = Files.writeString(folder.resolve("others.cpp"), others());
      compile(source, others, library);
      System.setProperty("fovea.native.recorder.path", library.toString());
      NativeLoader.Result result = NativeLoader.load("fovea_recorder");
      Files.delete(source);
      Files.delete(others);
      Files.delete(library);
      Files.delete(folder);
      assertTrue(result.library().isPresent(), result.report()::toString);
      return result.library().orElseThrow();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  /** Functions of other operations than attention, which nobody calls. */
  private static String others() {
    return NativeOperations.ALL.stream()
        .filter(it -> it != NativeAttention.OPERATION)
        .map(
            it ->
                """
                extern "C" int fovea_plan_@() { return 2; }
                extern "C" int fovea_run_@() { return 2; }
                extern "C" int fovea_run_@_backward() { return 2; }
                """
                    .replace("@", it.name()))
        .collect(Collectors.joining());
  }

  private static void compile(Path source, Path others, Path library) throws Exception {
    Process process =
        new ProcessBuilder(
                System.getenv().getOrDefault("CXX", "g++"),
                "-std=c++20",
                "-shared",
                "-fPIC",
                "-I",
                Path.of(System.getProperty("basedir", "."), "../../native/include").toString(),
                "-o",
                library.toString(),
                source.toString(),
                others.toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), output);
  }
}
