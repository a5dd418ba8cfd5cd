package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeLibrary;
import dev.fovea.ffi.NativeLoader;
import dev.fovea.ffi.NativeOperations;
import dev.fovea.ffi.Operand;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A device whose library computes nothing: a backward run writes down what it was given, in the
 * memory of query. What it plans is in recorder.cpp.
 */
final class Recorder {
  private static final NativeLibrary LIBRARY = load();

  static final Device DEVICE = Device.of(new FakeBackend("recorder", LIBRARY));

  /** What an entry has room for: operands in the order of {@code fovea.h}, then the workspace... */
  private static final int ADDRESSES = 64;

  private static final int WORKSPACE = NativeAttention.OPERATION.operands(Abi.BACKWARD).size();
  private static final int SCRATCH = WORKSPACE + 1;

  /** One native call. */
  record Entry(long phase, long begin, long end, long seed, long offset, List<Long> addresses) {
    /** Addresses of the operands that are there, by name. */
    Map<String, Long> operands() {
      Map<String, Long> there = new TreeMap<>();
      List<Operand> all = NativeAttention.OPERATION.operands(Abi.BACKWARD);
      for (int i = 0; i < all.size(); i++) {
        there.put(all.get(i).name(), addresses.get(i));
      }
      there.values().removeIf(address -> address == 0);
      return there;
    }

    long operand(String name) {
      return operands().get(name);
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

  /** Functions of runs of attention; those of other operations nobody calls. */
  private static String others() {
    String others =
        NativeOperations.ALL.stream()
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
    return run("", "record_forward", Abi.FORWARD)
        + run("_backward", "record_backward", Abi.BACKWARD)
        + others;
  }

  private static String run(String suffix, String record, int pass) {
    int count = NativeAttention.OPERATION.operands(pass).size() + 3;
    List<String> names = IntStream.range(0, count).mapToObj(i -> "a" + i).toList();
    return """
    extern "C" int %1$s(void* call, void* const* all, int count);
    extern "C" int fovea_run_attention%2$s(void*, void* call, void* %3$s) {
      void* const all[] = {%4$s};
      return %1$s(call, all, %5$d);
    }
    """
        .formatted(record, suffix, String.join(", void* ", names), String.join(", ", names), count);
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
