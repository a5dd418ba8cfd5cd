package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation.Function;
import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.activation.ActivationCase;
import dev.fovea.testkit.activation.CaseBuilder;
import dev.fovea.testkit.activation.Operands;
import dev.fovea.testkit.activation.Oracle;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code attend --op activation} against its oracle. */
class AttendActivationTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  private List<String> line(ActivationCase c, Operands data) throws IOException {
    String function = c.function().toString().toLowerCase(Locale.ROOT).replace('_', '-');
    List<String> line = new ArrayList<>(List.of("attend", "--op", "activation"));
    line.addAll(List.of("--function", function));
    for (String name : List.of("x", "bias", "gate", "residual", "dout")) {
      if (c.has(name)) {
        line.addAll(files.operand(name, NpyType.FLOAT32, data.get(name), c.layout(name).size()));
      }
    }
    return line;
  }

  /** Every function; all there is, or x alone; and the gradients of what there is. */
  @ParameterizedTest
  @CsvSource({"GELU, 0", "GELU_TANH, 0.2", "SILU, 0", "RELU, 0.5", "SIGMOID, 0", "TANH, 0"})
  void goesBothWays(Function function, float dropout) throws IOException {
    CaseBuilder builder =
        new CaseBuilder()
            .sizes(2, 7, 11)
            .function(function)
            .dropout(dropout, 42, 7)
            .with("bias", "gate", "residual");
    ActivationCase forward = builder.build();
    ActivationCase backward =
        builder.with("dx", "dbias", "dgate", "dresidual").backward(DType.FLOAT32).build();
    Operands data = Operands.of(backward);
    data.all().put("residual", Operands.of(forward).get("residual"));
    Map<String, Expected> results = new HashMap<>(Oracle.run(backward, data));
    results.putAll(Oracle.run(forward, data));
    List<String> line = line(backward, data);
    if (dropout > 0) {
      line.addAll(List.of("--dropout", String.valueOf(dropout), "--seed", "42", "--offset", "7"));
    }
    results.keySet().forEach(it -> line.addAll(files.result(it)));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("activation on cpu by activation_cpu_"), cli.out());
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

  /** The gradient of a bias alone, as a linear layer wants it. */
  @Test
  void sumsColumns() throws IOException {
    ActivationCase c =
        new CaseBuilder()
            .sizes(1, 5, 3)
            .function(Function.IDENTITY)
            .with("dbias")
            .backward(DType.FLOAT32)
            .build();
    Operands data = Operands.of(c);
    data.all().put("x", new float[15]);
    data.all().put("bias", new float[3]);
    List<String> line = line(c, data);
    line.addAll(files.result("out"));
    line.addAll(files.result("dbias"));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    Expected right = Oracle.run(c, data).get("dbias");
    Npy got = files.read("dbias");
    for (int i = 0; i < 3; i++) {
      assertEquals(right.value(i), got.value(i), right.allowed(i));
    }
  }

  @Test
  void functionsHaveNames() {
    Cli cli = Cli.run("attend", "--op", "activation", "--function", "swish");
    assertEquals(Main.USAGE, cli.code(), cli.err());
    String expected = "'swish' is not identity, relu, gelu, gelu-tanh, silu, sigmoid or tanh";
    assertTrue(cli.err().contains(expected), cli.err());
    cli = Cli.run("attend", "--op", "rotary", "--function", "gelu");
    assertEquals(Main.USAGE, cli.code(), cli.err());
    expected = "--function does not go with --op rotary, only with --op activation";
    assertTrue(cli.err().contains(expected), cli.err());
  }
}
