package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.append.AppendCase;
import dev.fovea.testkit.append.AppendCase.Order;
import dev.fovea.testkit.append.AppendSizes.Lengths;
import dev.fovea.testkit.append.CaseBuilder;
import dev.fovea.testkit.append.CaseBuilder.Sharing;
import dev.fovea.testkit.append.Operands;
import dev.fovea.testkit.append.Rounded;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code attend --op append} against its oracle: the cache afterwards is a file of its own. */
class AttendAppendTest {

  private static final Set<String> INTEGERS = Set.of("starts", "positions", "block_table");
  private static final float BEFORE = 5;

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private static String option(String operand) {
    return operand.replace('_', '-');
  }

  private List<String> line(Operands data, AppendCase c) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--op", "append"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      String name = operand.getKey();
      long[] shape = c.layout(name).size();
      boolean packed = c.sizes().packed() && Set.of("key", "value", "positions").contains(name);
      long[] shown = packed ? Arrays.copyOfRange(shape, 1, shape.length) : shape;
      if (INTEGERS.contains(name)) {
        int[] integers = new int[operand.getValue().length];
        Arrays.setAll(integers, i -> Float.floatToRawIntBits(operand.getValue()[i]));
        line.addAll(files.integers(option(name), NpyType.INT32, integers, shown));
      } else {
        line.addAll(files.operand(option(name), NpyType.FLOAT32, operand.getValue(), shown));
      }
    }
    for (String cache : List.of("key_cache", "value_cache")) {
      if (c.layouts().containsKey(cache)) {
        float[] before = new float[c.layouts().get(cache).elements()];
        Arrays.fill(before, BEFORE);
        long[] shape = c.layouts().get(cache).size();
        line.addAll(files.operand(option(cache), NpyType.FLOAT32, before, shape));
        line.addAll(files.result("new-" + option(cache)));
      }
    }
    return line;
  }

  @ParameterizedTest
  @CsvSource({"0, FULL, false", "4, FULL, true", "2, PADDED, true", "4, PACKED, false"})
  void appends(int page, Lengths lengths, boolean rotated) throws IOException {
    CaseBuilder builder =
        new CaseBuilder()
            .dtype(DType.FLOAT32, DType.FLOAT32)
            .heads(2, 6, rotated ? 0 : 4)
            .starts(3, 0)
            .rows(lengths, 3, lengths == Lengths.FULL ? 3 : 1)
            .pages(page);
    if (rotated) {
      builder.rotated(2, page == 2).positions(Sharing.EACH, Order.SAME);
    }
    AppendCase c = builder.build();
    Operands data = Operands.of(c);
    List<String> line = line(data, c);
    if (lengths == Lengths.PADDED) {
      line.addAll(files.integers("lengths", NpyType.INT32, new int[] {3, 1}, 2));
    } else if (lengths == Lengths.PACKED) {
      line.addAll(files.integers("cu-seqlens", NpyType.INT32, new int[] {0, 3, 4}, 3));
    }
    if (page == 2) {
      line.add("--interleaved");
    }
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("append on cpu by append_cpu"), cli.out());
    assertTrue(cli.out().contains("  newKeyCache ["), cli.out());
    for (Map.Entry<String, Expected> it : Rounded.run(c, data).entrySet()) {
      Npy got = files.read("new-" + option(it.getKey()));
      Expected right = it.getValue();
      assertEquals(right.elements(), got.elements());
      for (int i = 0; i < right.elements(); i++) {
        boolean written = right.state(i) == Expected.COMPARE;
        assertEquals(written ? right.value(i) : BEFORE, got.value(i), it.getKey() + " " + i);
      }
    }
  }

  @Test
  void aCacheThatIsFullIsNamedWithItsFile() throws IOException {
    AppendCase c = new CaseBuilder().build();
    List<String> line = line(Operands.of(c), c);
    line.addAll(files.integers("starts", NpyType.INT32, new int[] {4}, 1));
    line.subList(line.indexOf("--starts"), line.indexOf("--starts") + 2).clear();
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    String expected = "element 0 of --starts " + files.file("starts") + " is 4, expected 0 to 3";
    assertTrue(cli.err().contains(expected), cli.err());
    assertFalse(Files.exists(files.file("new-key-cache")));
  }
}
