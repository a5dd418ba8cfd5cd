package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.norm.CaseBuilder;
import dev.fovea.testkit.norm.CaseBuilder.Sharing;
import dev.fovea.testkit.norm.NormCase;
import dev.fovea.testkit.norm.Operands;
import dev.fovea.testkit.norm.Oracle;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code attend --op norm} against its oracle. */
class AttendNormTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  /** Both kinds, with weight and bias of all heads or of each. */
  @ParameterizedTest
  @CsvSource({"true, ONE, EACH", "false, EACH, ONE", "true, EACH, EACH"})
  void bothPasses(boolean centered, Sharing weight, Sharing bias) throws IOException {
    CaseBuilder builder = new CaseBuilder().sizes(2, 7, 3, 11).sharing(weight, bias).moments();
    builder.epsilon(0.25);
    if (!centered) {
      builder.rms();
    }
    NormCase forward = builder.build();
    NormCase backward = builder.backward(DType.FLOAT32).build();
    Operands data = Operands.of(forward);
    data.all().put("dout", Operands.of(backward).get("dout"));
    Map<String, Expected> results = new HashMap<>(Oracle.run(backward, data));
    results.putAll(Oracle.run(forward, data));
    List<String> line = new ArrayList<>(List.of("attend", "--op", "norm", "--epsilon", "0.25"));
    if (centered) {
      line.add("--centered");
    }
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      long[] shape = backward.layout(operand.getKey()).size();
      line.addAll(files.operand(operand.getKey(), NpyType.FLOAT32, operand.getValue(), shape));
    }
    results.keySet().forEach(it -> line.addAll(files.result(it)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("norm on cpu by norm_cpu_"), cli.out());
    assertEquals(centered ? 6 : 5, results.size());
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

  private String refused(String... options) throws IOException {
    NormCase c = new CaseBuilder().build();
    List<String> line = new ArrayList<>(List.of("attend", "--op", "norm"));
    line.addAll(files.operand("x", NpyType.FLOAT32, Operands.of(c).get("x"), c.layout("x").size()));
    line.addAll(files.result("out"));
    line.addAll(List.of(options));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    return cli.err();
  }

  @Test
  void whatIsWrongIsNamed() throws IOException {
    String negative = refused("--epsilon", "-1");
    assertTrue(negative.contains("psilon is -1.0, expected a finite float of 0 or more"), negative);
    String mean = refused(files.result("mean").toArray(String[]::new));
    assertTrue(mean.contains("what is not centered has none"), mean);
  }

  @Test
  void epsilonIsOfFewOperations() {
    Cli cli = Cli.run("attend", "--op", "projection", "--epsilon", "1");
    assertEquals(Main.USAGE, cli.code(), cli.err());
    String expected = "--epsilon does not go with --op projection, only with --op norm or";
    assertTrue(cli.err().contains(expected), cli.err());
  }
}
