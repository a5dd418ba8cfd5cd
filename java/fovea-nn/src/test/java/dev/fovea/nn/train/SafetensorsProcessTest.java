package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Tensor;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes that write a file and come to an end while they do. */
class SafetensorsProcessTest {
  private static final int KILLS = Integer.getInteger("fovea.kills", 5);
  private static final int PATIENCE_SECONDS = 60;

  @TempDir private Path folder;

  /** Two checkpoints that have nothing in common, not even their length. */
  static final class Writer {
    private Writer() {}

    static Map<String, Tensor> tensors(Arena arena, int which) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      Random random = new Random(which);
      for (int i = 0; i < 3; i++) {
        int size = 10_000 + 30_000 * which + i;
        float[] values = new float[size];
        for (int j = 0; j < size; j++) {
          values[j] = random.nextFloat();
        }
        tensors.put(
            which + "." + i,
            Tensor.of(arena.allocate(4L * size, 64), DType.FLOAT32, size).copyFrom(values));
      }
      return tensors;
    }

    static Map<String, String> metadata(int which) {
      return Map.of("which", "" + which);
    }

    /** Arguments: a path, and how many files; prints a line after the first and a failure. */
    public static void main(String[] arguments) {
      Path path = Path.of(arguments[0]);
      int files = Integer.parseInt(arguments[1]);
      try (Arena arena = Arena.ofConfined()) {
        List<Map<String, Tensor>> both = List.of(tensors(arena, 0), tensors(arena, 1));
        for (int i = 0; i < files; i++) {
          Safetensors.write(path, both.get(i % 2), metadata(i % 2));
          if (i == 0) {
            System.out.println("written");
          }
        }
      } catch (IOException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private static List<String> writer(Path path, int files) throws Exception {
    return ChildJvm.command(Writer.class, path.toString(), "" + files);
  }

  private static int which(Path path) throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      Safetensors read = Safetensors.read(path, arena);
      int which = Integer.parseInt(read.metadata().get("which"));
      assertEquals(Writer.metadata(which), read.metadata());
      Map<String, Tensor> expected = Writer.tensors(arena, which);
      assertEquals(expected.keySet(), read.tensors().keySet());
      for (Map.Entry<String, Tensor> each : expected.entrySet()) {
        assertArrayEquals(
            each.getValue().toFloatArray(), read.tensors().get(each.getKey()).toFloatArray());
      }
      return which;
    }
  }

  @Test
  void whoeverIsKilledLeavesOneOfTwoFilesWhole() throws Exception {
    Path path = folder.resolve("model.safetensors");
    Random random = new Random(1);
    TreeSet<Integer> seen = new TreeSet<>();
    for (int n = 0; n < KILLS; n++) {
      Process child = ChildJvm.start(writer(path, Integer.MAX_VALUE));
      try (BufferedReader lines = child.inputReader()) {
        assertEquals("written", lines.readLine());
        Thread.sleep(random.nextInt(40));
        child.destroyForcibly();
        assertTrue(child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "it lives");
      } finally {
        child.destroyForcibly();
      }
      seen.add(which(path));
    }
    assertTrue(KILLS < 20 || seen.size() == 2, "always " + seen);
    assertEquals(
        0, ChildJvm.start(writer(path, 2)).waitFor(), "who writes after one that was killed");
    assertEquals(1, which(path));
    assertEquals(List.of(path), files());
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  /** A file that may not grow any further fails as on a full disk: some bytes are written. */
  @Test
  void whoRunsOutOfSpaceLeavesTheOldFileAndNothingElse() throws Exception {
    Path path = folder.resolve("model.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Safetensors.write(path, Writer.tensors(arena, 1), Writer.metadata(1));
    }
    List<String> command = new ArrayList<>(List.of("sh", "-c", "ulimit -f 100; exec \"$@\"", "sh"));
    command.addAll(writer(path, 1));
    Process child = ChildJvm.start(command);
    try (BufferedReader lines = child.inputReader()) {
      List<String> said = lines.readAllLines();
      assertTrue(child.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS), "it lives");
      assertEquals(0, child.exitValue(), said.toString());
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.getFirst().contains("File too large"), said.toString());
    } finally {
      child.destroyForcibly();
    }
    assertEquals(1, which(path));
    assertEquals(List.of(path), files());
  }
}
