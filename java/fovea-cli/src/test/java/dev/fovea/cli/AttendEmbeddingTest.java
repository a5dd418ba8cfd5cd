package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.embedding.CaseBuilder;
import dev.fovea.testkit.embedding.CaseBuilder.Positions;
import dev.fovea.testkit.embedding.EmbeddingCase;
import dev.fovea.testkit.embedding.Operands;
import dev.fovea.testkit.embedding.Oracle;
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
import org.junit.jupiter.params.provider.EnumSource;

/** {@code attend --op embedding} against its oracle. */
class AttendEmbeddingTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private List<String> line(Operands data, EmbeddingCase c) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--op", "embedding"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      String name = operand.getKey();
      long[] shape = c.layout(name).size();
      float[] values = operand.getValue();
      if (name.endsWith("ids")) {
        int[] ids = new int[values.length];
        Arrays.setAll(ids, i -> Float.floatToRawIntBits(values[i]));
        List<String> file = files.integers(name, NpyType.INT32, ids, shape);
        line.addAll(List.of(file.get(0).replace('_', '-'), file.get(1)));
      } else {
        line.addAll(files.operand(name, NpyType.FLOAT32, values, shape));
      }
    }
    return line;
  }

  @ParameterizedTest
  @EnumSource(names = {"NONE", "ROWS", "SHARED", "EACH"})
  void looksUpAndSums(Positions positions) throws IOException {
    CaseBuilder builder = new CaseBuilder().sizes(2, 7, 9, 11).positions(positions, 8);
    builder.scale(1.5f).padding(3);
    EmbeddingCase forward = builder.build();
    EmbeddingCase backward = builder.backward().build();
    Operands data = Operands.of(backward);
    data.all().put("table", Operands.of(forward).get("table"));
    if (forward.has("positions")) {
      data.all().put("positions", Operands.of(forward).get("positions"));
    }
    Map<String, Expected> results = new HashMap<>(Oracle.run(backward, data));
    results.putAll(Oracle.run(forward, data));
    List<String> line = line(data, backward);
    line.addAll(List.of("--scale", "1.5", "--padding", "3"));
    results.keySet().forEach(it -> line.addAll(files.result(it)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("embedding on cpu by embedding_cpu"), cli.out());
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

  private void refused(String expected, int id, String... options) throws IOException {
    EmbeddingCase c = new CaseBuilder().build();
    Operands data = Operands.of(c);
    data.get("ids")[8] = Float.intBitsToFloat(id);
    List<String> line = line(data, c);
    line.addAll(files.result("out"));
    line.addAll(List.of(options));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertTrue(cli.err().contains(expected), cli.err());
  }

  @Test
  void mistakesAreNamedWithTheirFiles() throws IOException {
    refused("element 1, 3 of --ids " + files.file("ids") + " is 7, expected", 7);
    refused("--padding is -1, expected 0 or more", 0, "--padding", "-1");
    refused("--padding is 7, expected less than", 0, "--padding", "7");
    refused("--interleaved does not go with --op embedding, only with", 0, "--interleaved");
  }
}
