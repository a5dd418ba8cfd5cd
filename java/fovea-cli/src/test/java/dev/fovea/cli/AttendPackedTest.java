package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Packed sequences in {@code attend}: what the same sequences give with padding. */
class AttendPackedTest {

  private static final int[] QUERIES = {5, 0, 2};
  private static final int[] KEYS = {4, 3, 6};
  private static final int LONGEST = 6;
  private static final float TOLERANCE = 1e-5f;

  @TempDir private Path padded;
  @TempDir private Path packed;

  /**
   * Elements of the rows that sequences have, where {@code outer} such blocks lie in a sequence.
   */
  private static float[] pack(Npy array, int[] lengths, int width) {
    int rows = (int) array.elements() / lengths.length / width;
    List<Float> all = new ArrayList<>();
    for (int b = 0; b < lengths.length; b++) {
      for (int i = 0; i < lengths[b] * width; i++) {
        all.add((float) array.value(b * rows * width + i));
      }
    }
    return array(all);
  }

  private static float[] array(List<Float> values) {
    float[] array = new float[values.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = values.get(i);
    }
    return array;
  }

  private static boolean isOfKeys(String name) {
    return name.endsWith("key") || name.endsWith("value");
  }

  private static int[] lengths(String name) {
    return isOfKeys(name) ? KEYS : QUERIES;
  }

  private static int[] offsets(int[] lengths) {
    int[] offsets = new int[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      offsets[i + 1] = offsets[i] + lengths[i];
    }
    return offsets;
  }

  private void check(PlainAttention plain) throws IOException {
    plain.queryLengths = QUERIES;
    plain.keyLengths = KEYS;
    plain.causal = true;
    NpyFiles from = new NpyFiles(padded);
    NpyFiles to = new NpyFiles(packed);
    new PlainLine(from, plain).check(PlainLine.FLOAT32, "--causal");
    List<String> line = new ArrayList<>(List.of("attend", "--causal", "--op", plain.operation()));
    List<String> results = new ArrayList<>(List.of("out", "lse", "weights"));
    for (String name : List.of("query", "key", "value", "dout")) {
      long[] shape = plain.shape(name);
      int width = (int) (shape[2] * shape[3]);
      float[] rows = pack(from.read(name), lengths(name), width);
      line.addAll(to.operand(name, NpyType.FLOAT32, rows, rows.length / width, shape[2], shape[3]));
    }
    for (String name : plain.operands().keySet()) {
      results.add("d" + name);
      if (!line.contains("--" + name)) {
        Files.copy(from.file(name), to.file(name));
        line.addAll(to.result(name));
      }
    }
    line.addAll(to.lengths("cu-seqlens-q", NpyType.INT32, offsets(QUERIES)));
    line.addAll(to.lengths("cu-seqlens-k", NpyType.INT64, offsets(KEYS)));
    results.forEach(name -> line.addAll(to.result(name)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    results.forEach(name -> same(name, plain, from, to));
  }

  private void same(String name, PlainAttention plain, NpyFiles from, NpyFiles to) {
    try {
      Npy expected = from.read(name);
      Npy actual = to.read(name);
      float[] rows =
          switch (name) {
            case "lse" -> byHead(expected, plain, 1, 1);
            case "weights" -> byHead(expected, plain, plain.keys, LONGEST);
            case "out", "dquery", "dkey", "dvalue" ->
                pack(expected, lengths(name), (int) (expected.shape()[2] * expected.shape()[3]));
            default -> pack(expected, new int[] {1}, (int) expected.elements());
          };
      float[] values = pack(actual, new int[] {1}, (int) actual.elements());
      assertArrayEquals(rows, values, TOLERANCE, name);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** [B, Hq, Sq, width] as [Hq, Tq, shown]. */
  private static float[] byHead(Npy array, PlainAttention plain, int width, int shown) {
    List<Float> all = new ArrayList<>();
    for (int h = 0; h < plain.heads; h++) {
      for (int b = 0; b < plain.batch; b++) {
        for (int i = 0; i < QUERIES[b]; i++) {
          for (int j = 0; j < shown; j++) {
            int row = (b * plain.heads + h) * plain.queries + i;
            all.add((float) array.value(row * width + j));
          }
        }
      }
    }
    return array(all);
  }

  @ParameterizedTest
  @ValueSource(strings = {"attention", "additive"})
  void packedIsPaddedWithoutPadding(String operation) throws IOException {
    check(
        operation.equals("additive")
            ? new PlainAdditive(3, 7, 8, 4, 2, 8, 5).withBias(4, 8)
            : new PlainAttention(3, 7, 8, 4, 2, 8, 5));
  }
}
