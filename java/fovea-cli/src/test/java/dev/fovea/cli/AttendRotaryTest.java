package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.rotary.CaseBuilder;
import dev.fovea.testkit.rotary.CaseBuilder.Sharing;
import dev.fovea.testkit.rotary.Operands;
import dev.fovea.testkit.rotary.Oracle;
import dev.fovea.testkit.rotary.RotaryCase;
import dev.fovea.testkit.rotary.RotaryCase.Order;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code attend --op rotary} against its oracle. */
class AttendRotaryTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private List<String> line(Operands data, RotaryCase c, boolean flat) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--op", "rotary"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      String name = operand.getKey();
      long[] shape = c.layout(name).size();
      if (name.equals("positions")) {
        int[] positions = new int[operand.getValue().length];
        Arrays.setAll(positions, i -> Float.floatToRawIntBits(operand.getValue()[i]));
        line.addAll(files.integers(name, NpyType.INT32, positions, shape));
      } else {
        long[] shown = flat && shape.length == 3 ? Arrays.copyOfRange(shape, 1, 3) : shape;
        line.addAll(files.operand(name, NpyType.FLOAT32, operand.getValue(), shown));
      }
    }
    return line;
  }

  /** Either way pairs may lie; tables of two dimensions or for each sequence; with positions. */
  @ParameterizedTest
  @CsvSource({"false, ONE, false", "true, ONE, true", "true, EACH, false", "false, EACH, true"})
  void turnsBothWays(boolean interleaved, Sharing sharing, boolean positions) throws IOException {
    CaseBuilder builder = new CaseBuilder().sizes(2, 7, 3, 11).tables(4, 9).sharing(sharing);
    if (interleaved) {
      builder.interleaved();
    }
    if (positions) {
      builder.positions(sharing, Order.ANY);
    }
    RotaryCase forward = builder.build();
    RotaryCase backward = builder.backward(DType.FLOAT32).build();
    Operands data = Operands.of(backward);
    data.all().put("x", Operands.of(forward).get("x"));
    Map<String, Expected> results = new HashMap<>(Oracle.run(backward, data));
    results.putAll(Oracle.run(forward, data));
    List<String> line = line(data, backward, sharing == Sharing.ONE);
    if (interleaved) {
      line.add("--interleaved");
    }
    results.keySet().forEach(it -> line.addAll(files.result(it)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("rotary on cpu by rotary_cpu"), cli.out());
    for (Map.Entry<String, Expected> result : results.entrySet()) {
      Npy got = files.read(result.getKey());
      Expected right = result.getValue();
      assertEquals(right.elements(), got.elements());
      for (int i = 0; i < right.elements(); i++) {
        double off = Math.abs(got.value(i) - right.value(i));
        assertTrue(off <= right.allowed(i), result.getKey() + " " + i + " is off by " + off);
      }
    }
  }

  @Test
  void aPositionThatIsNoneIsNamedWithItsFile() throws IOException {
    RotaryCase c = new CaseBuilder().build();
    List<String> line = line(Operands.of(c), c, true);
    int[] positions = {0, 1, 6, 2, 3, 4};
    line.addAll(files.integers("positions", NpyType.INT32, positions, 1, 6));
    line.addAll(files.result("out"));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    String expected = "element 0, 2 of --positions " + files.file("positions") + " is 6, expected";
    assertTrue(cli.err().contains(expected), cli.err());
  }

  @Test
  void neighboursArePairsOfWhatRotates() {
    Cli cli = Cli.run("attend", "--op", "projection", "--interleaved");
    assertEquals(Main.USAGE, cli.code(), cli.err());
    String expected =
        "--interleaved does not go with --op projection, only with --op rotary or append";
    assertTrue(cli.err().contains(expected), cli.err());
  }
}
