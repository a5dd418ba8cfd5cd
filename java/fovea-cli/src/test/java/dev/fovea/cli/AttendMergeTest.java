package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.merge.CaseBuilder;
import dev.fovea.testkit.merge.MergeCase;
import dev.fovea.testkit.merge.MergeCase.Lses;
import dev.fovea.testkit.merge.Operands;
import dev.fovea.testkit.merge.Oracle;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code attend --op merge} against its oracle. */
class AttendMergeTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private List<String> line(MergeCase c, Operands data) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--op", "merge"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      long[] shape = c.layout(operand.getKey()).size();
      line.addAll(files.operand(operand.getKey(), NpyType.FLOAT32, operand.getValue(), shape));
    }
    return line;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void mergesPartsOfFiles(boolean sinks) throws IOException {
    CaseBuilder builder = new CaseBuilder().sizes(2, 3, 7, 2, 11).lses(Lses.SPREAD, true).lse();
    MergeCase c = (sinks ? builder.sinks() : builder).build();
    Operands data = Operands.of(c);
    Map<String, Expected> results = Oracle.run(c, data);
    List<String> line = line(c, data);
    results.keySet().forEach(it -> line.addAll(files.result(it)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("merge on cpu by merge_cpu"), cli.out());
    for (Map.Entry<String, Expected> result : results.entrySet()) {
      Npy got = files.read(result.getKey());
      Expected right = result.getValue();
      assertEquals(right.elements(), got.elements());
      for (int i = 0; i < right.elements(); i++) {
        boolean fits =
            got.value(i) == right.value(i)
                || Math.abs(got.value(i) - right.value(i)) <= right.allowed(i);
        assertTrue(fits, result.getKey() + " " + i + " is " + got.value(i));
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--causal | --causal does not go with --op merge",
        "--deterministic | --deterministic does not go with --op merge",
        "--query @outs.npy | --query does not go with --op merge",
        "--sinks @lses.npy | --sinks @lses.npy has shape [2, 2, 3, 5], expected [Hq] = [3]",
        "--lses @outs.npy | --lses"
      })
  void mistakesAreNamedWithTheirFiles(String options, String expected) throws IOException {
    MergeCase c = new CaseBuilder().build();
    List<String> line = line(c, Operands.of(c));
    line.addAll(files.result("out"));
    line.addAll(List.of(options.replace("@", folder + "/").split(" ")));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertTrue(cli.err().contains(expected.replace("@", folder + "/")), cli.err());
  }

  @Test
  void whatIsMissingIsSaid() {
    Cli cli = Cli.run("attend", "--op", "merge", "--outs", "outs.npy");
    assertEquals(Main.USAGE, cli.code());
    String expected = "Missing required options: '--lses', '--out', for --op merge";
    assertTrue(cli.err().contains(expected), cli.err());
  }
}
