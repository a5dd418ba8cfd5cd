package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.crossentropy.CaseBuilder;
import dev.fovea.testkit.crossentropy.CrossEntropyCase;
import dev.fovea.testkit.crossentropy.Operands;
import dev.fovea.testkit.crossentropy.Oracle;
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

/** {@code attend --op cross-entropy} against its oracle. */
class AttendCrossEntropyTest {

  @TempDir private Path folder;
  private NpyFiles files;

  @BeforeEach
  void names() {
    files = new NpyFiles(folder);
  }

  /** Without lse, which the forward pass writes. */
  private List<String> line(Operands data, CrossEntropyCase c) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--op", "cross-entropy"));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      String name = operand.getKey();
      long[] shape = c.layout(name).size();
      float[] values = operand.getValue();
      if (name.equals("targets")) {
        int[] targets = new int[values.length];
        Arrays.setAll(targets, i -> Float.floatToRawIntBits(values[i]));
        line.addAll(files.integers(name, NpyType.INT32, targets, shape));
      } else if (!name.equals("lse")) {
        List<String> file = files.operand(name, NpyType.FLOAT32, values, shape);
        line.addAll(List.of(file.get(0).replace('_', '-'), file.get(1)));
      }
    }
    return line;
  }

  @ParameterizedTest
  @CsvSource({"0, false", "0.125, false", "0, true", "0.125, true"})
  void lossesAndTheirGradient(float smoothing, boolean weights) throws IOException {
    CaseBuilder builder = new CaseBuilder().sizes(2, 7, 11).ignored(0.3).smoothing(smoothing);
    if (weights) {
      builder.weights();
    }
    CrossEntropyCase forward = builder.build();
    CrossEntropyCase backward = builder.backward(DType.FLOAT32).build();
    Operands data = Operands.of(backward);
    List<String> line = line(data, backward);
    line.addAll(List.of("--label-smoothing", String.valueOf(smoothing)));
    for (String written : List.of("out", "lse", "dlogits")) {
      line.addAll(files.result(written));
    }
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().startsWith("cross-entropy on cpu by cross_entropy_cpu"), cli.out());
    Map<String, Expected> results = new HashMap<>(Oracle.run(forward, data));
    Npy lse = files.read("lse");
    for (int i = 0; i < data.get("lse").length; i++) {
      data.get("lse")[i] = (float) lse.value(i);
    }
    results.putAll(Oracle.run(backward, data));
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

  private void refused(String expected, int target, String... options) throws IOException {
    CrossEntropyCase c = new CaseBuilder().build();
    Operands data = Operands.of(c);
    data.get("targets")[4] = Float.intBitsToFloat(target);
    List<String> line = line(data, c);
    line.addAll(files.result("out"));
    line.addAll(List.of(options));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertTrue(cli.err().contains(expected), cli.err());
  }

  @Test
  void mistakesAreNamedWithTheirFiles() throws IOException {
    refused("element 1, 1 of --targets " + files.file("targets") + " is 7, expected", 7);
    refused("--label-smoothing is 1.5, expected 0 to 1", 0, "--label-smoothing", "1.5");
    refused("--scale does not go with --op cross-entropy, only with", 0, "--scale", "2");
  }
}
