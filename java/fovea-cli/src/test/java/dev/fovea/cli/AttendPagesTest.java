package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Gaussian;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code attend} to keys and values in pages, beside the same ones behind each other. */
class AttendPagesTest {
  private static final int ROW = 2 * 8; // heads of a row of key and value
  private static final int[] TABLE = {5, 0, 2, 1, 99, -1};

  @TempDir private Path folder;
  private NpyFiles files;
  private final Gaussian random = new Gaussian(3);

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private float[] draw(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextNormal();
    }
    return values;
  }

  /** Two sequences of up to twelve rows, of pages of four. */
  private static float[] rows(float[] pages) {
    float[] rows = new float[2 * 12 * ROW];
    for (int i = 0; i < TABLE.length; i++) {
      boolean there = TABLE[i] >= 0 && TABLE[i] < 6;
      System.arraycopy(pages, there ? TABLE[i] * 4 * ROW : 0, rows, i * 4 * ROW, 4 * ROW);
    }
    return rows;
  }

  @Test
  void pagesAreAPlaceForKeysAndValues() throws IOException {
    float[] key = draw(6 * 4 * ROW);
    float[] value = draw(6 * 4 * ROW);
    List<String> common = new ArrayList<>(List.of("attend", "--causal"));
    common.addAll(files.operand("query", NpyType.FLOAT32, draw(2 * 3 * 4 * 8), 2, 3, 4, 8));
    common.addAll(files.operand("key-lengths", NpyType.INT32, new float[] {10, 3}, 2));
    List<String> paged = new ArrayList<>(common);
    paged.addAll(files.operand("key", NpyType.FLOAT32, key, 6, 4, 2, 8));
    paged.addAll(files.operand("value", NpyType.FLOAT32, value, 6, 4, 2, 8));
    float[] table = new float[TABLE.length];
    Arrays.setAll(new int[table.length], i -> (int) (table[i] = TABLE[i]));
    paged.addAll(files.operand("block-table", NpyType.INT32, table, 2, 3));
    paged.addAll(files.result("out"));
    Cli cli = Cli.run(paged.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    Npy got = files.read("out");

    List<String> plain = new ArrayList<>(common);
    plain.addAll(files.operand("key", NpyType.FLOAT32, rows(key), 2, 12, 2, 8));
    plain.addAll(files.operand("value", NpyType.FLOAT32, rows(value), 2, 12, 2, 8));
    plain.addAll(files.result("lse"));
    plain.addAll(files.result("out"));
    assertEquals(0, Cli.run(plain.toArray(String[]::new)).code());
    Npy expected = files.read("out");
    for (int i = 0; i < 2 * 3 * 4 * 8; i++) {
      assertEquals(expected.value(i), got.value(i), "element " + i);
    }
  }

  @Test
  void aTableThatLeadsNowhere() throws IOException {
    List<String> line = new ArrayList<>(List.of("attend"));
    line.addAll(files.operand("query", NpyType.FLOAT32, draw(2 * 4 * 8), 2, 1, 4, 8));
    line.addAll(files.operand("key", NpyType.FLOAT32, draw(6 * 4 * ROW), 6, 4, 2, 8));
    line.addAll(files.operand("value", NpyType.FLOAT32, draw(6 * 4 * ROW), 6, 4, 2, 8));
    line.addAll(files.operand("block-table", NpyType.INT32, new float[] {0, 1, 2, 7}, 2, 2));
    line.addAll(files.result("out"));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertTrue(cli.code() != 0);
    assertTrue(cli.err().contains("is 7, expected 0 to 5"), cli.err());
  }
}
