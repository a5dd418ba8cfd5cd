package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.optimizer.CaseBuilder;
import dev.fovea.testkit.optimizer.Operands;
import dev.fovea.testkit.optimizer.OptimizerCase;
import dev.fovea.testkit.optimizer.OptimizerCase.Rule;
import dev.fovea.testkit.optimizer.Rounded;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * {@code attend --op optimizer} against the formulas: what is in place goes to files of its own.
 */
class AttendOptimizerTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private List<String> line(Operands data, OptimizerCase c) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--op", "optimizer"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      String name = operand.getKey();
      line.addAll(files.operand(name, NpyType.FLOAT32, operand.getValue(), c.layout(name).size()));
    }
    return line;
  }

  @ParameterizedTest
  @CsvSource({
    "SGD, --rule sgd --weight-decay 0.125",
    "MOMENTUM, --rule sgd --beta1 0.5 --weight-decay 0.125",
    "NESTEROV, --rule SGD --beta1 0.5 --nesterov --weight-decay 0.125",
    "ADAMW, --beta1 0.5 --beta2 0.75 --epsilon 1e-3 --weight-decay 0.125",
    "LION, --rule lion --beta1 0.5 --beta2 0.75 --weight-decay 0.125"
  })
  void takesAStep(Rule rule, String options) throws IOException {
    OptimizerCase c =
        new CaseBuilder()
            .sizes(3, 11)
            .rule(rule)
            .numbers(0.5f, 0.75f, 1e-3f, 0.125f)
            .out(DType.FLOAT32)
            .build();
    Operands data = Operands.of(c);
    List<String> line = line(data, c);
    line.addAll(Arrays.asList(options.split(" ")));
    Map<String, Expected> results = Rounded.run(c, data);
    results.keySet().forEach(it -> line.addAll(files.result(result(it))));
    byte[] before = Files.readAllBytes(files.file("parameter"));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("optimizer on cpu by optimizer_cpu"), cli.out());
    assertTrue(cli.out().contains("  newParameter [3, 11] -> "), cli.out());
    for (Map.Entry<String, Expected> it : results.entrySet()) {
      Npy got = files.read(result(it.getKey()));
      Expected right = it.getValue();
      assertEquals(right.elements(), got.elements());
      for (int i = 0; i < right.elements(); i++) {
        assertEquals(right.value(i), got.value(i), it.getKey() + " " + i);
      }
    }
    assertEquals(
        Arrays.toString(before), Arrays.toString(Files.readAllBytes(files.file("parameter"))));
  }

  /** Of what is in place the state afterwards, of out itself. */
  private static String result(String operand) {
    return operand.equals("out") ? operand : "new-" + operand;
  }

  /** AdamW as PyTorch has it, and nothing written but what is named. */
  @Test
  void usualNumbersAreThoseOfAdamw() throws IOException {
    OptimizerCase c = new CaseBuilder().numbers(0.9f, 0.999f, 1e-8f, 0).build();
    Operands data = Operands.of(c);
    List<String> line = line(data, c);
    line.addAll(files.result("new-parameter"));
    assertEquals(0, Cli.run(line.toArray(String[]::new)).code());
    Npy got = files.read("new-parameter");
    Expected right = Rounded.run(c, data).get("parameter");
    for (int i = 0; i < right.elements(); i++) {
      assertEquals(right.value(i), got.value(i));
    }
    assertFalse(Files.exists(files.file("new-mean")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--rule sgd | mean is set, but",
        "--rule sgd --beta1 0.9 | square is set, but",
        "--rule adam | 'adam' is not sgd or adamw or lion",
        "--rule lion --epsilon 1e-8 | --epsilon is for --rule adamw",
        "--rule sgd --beta2 0.9 | --beta2 is for --rule adamw and lion",
        "--beta1 1.5 | --beta1 is 1.5, expected 0 to 1",
        "--weight-decay -1 | --weight-decay is -1.0, expected 0 or more",
        "--nesterov | nesterov is for SGD with momentum, this is",
        "--deterministic | --deterministic does not go with --op optimizer",
        "--causal | --causal does not go with --op optimizer",
        "--dout @gradient.npy | --dout does not go with --op optimizer",
        "--new-parameter @parameter.npy | --new-parameter @parameter.npy is the file that"
            + " --parameter reads"
      })
  void mistakesAreNamed(String options, String expected) throws IOException {
    OptimizerCase c = new CaseBuilder().build();
    List<String> line = line(Operands.of(c), c);
    String place = folder + "/";
    line.addAll(Arrays.asList(options.replace("@", place).split(" ")));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertTrue(cli.code() != 0, cli.out());
    assertTrue(cli.err().contains(expected.replace("@", place)), cli.err());
  }

  @Test
  void whatIsReadIsNeeded() {
    Cli cli = Cli.run("attend", "--op", "optimizer", "--gradient", "g.npy");
    String expected = "Missing required options: '--rates', '--parameter', for --op optimizer";
    assertTrue(cli.err().contains(expected), cli.err());
  }
}
