package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A line of {@code attend} on the operands of a {@link PlainAttention}, and what it has to give.
 */
record PlainLine(NpyFiles files, PlainAttention plain) {

  /**
   * Of the largest value of a tensor: 160 roundings of float32, where a gradient is made of some
   * hundred terms with a dozen roundings each, of random sign.
   */
  static final double FLOAT32 = 160 * 0x1p-24;

  /** Out, with it delta, and the gradient are rounded: the first moves all terms of the last. */
  static final double BFLOAT16 = 4 * 0x1p-8;

  /** Likewise. */
  static final double FLOAT16 = 4 * 0x1p-11;

  /** Writes the operands and returns the line that reads them and writes out. */
  List<String> operands() throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--json", "--op", plain.operation()));
    for (Map.Entry<String, double[]> operand : plain.operands().entrySet()) {
      line.addAll(write(operand.getKey(), operand.getValue()));
    }
    line.addAll(write("dout", plain.dout));
    line.addAll(files.lengths("query-lengths", NpyType.INT32, plain.queryLengths));
    line.addAll(files.lengths("key-lengths", NpyType.INT64, plain.keyLengths));
    line.addAll(files.result("out"));
    return line;
  }

  private List<String> write(String name, double[] values) throws IOException {
    float[] exact = new float[values.length];
    for (int i = 0; i < exact.length; i++) {
      exact[i] = (float) values[i];
    }
    return files.operand(name, NpyType.FLOAT32, exact, plain.shape(name));
  }

  /** Runs a line, which has to be done. */
  JsonObject run(List<String> line) {
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertEquals(plain.operation(), cli.json().get("op").getAsString());
    return cli.json();
  }

  double[] floats(String name) throws IOException {
    Npy array = files.read(name);
    double[] values = new double[(int) array.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.value(i);
    }
    return values;
  }

  /** Runs both passes with all results and compares them. */
  void check(double tolerance, String... options) throws IOException {
    List<String> line = operands();
    line.addAll(List.of(options));
    List.of("lse", "weights").forEach(name -> line.addAll(files.result(name)));
    plain.operands().keySet().forEach(name -> line.addAll(files.result("d" + name)));
    run(line);
    PlainAttention.Results results = plain.results();
    long b = plain.batch;
    assertResult("out", results.out(), tolerance, plain.shape("dout"));
    assertResult("lse", results.lse(), tolerance, b, plain.heads, plain.queries);
    assertResult(
        "weights", results.weights(), tolerance, b, plain.heads, plain.queries, plain.keys);
    for (Map.Entry<String, double[]> operand : plain.operands().entrySet()) {
      String name = operand.getKey();
      double[] gradient = plain.gradient(operand.getValue());
      assertResult("d" + name, gradient, tolerance, plain.shape(name));
    }
  }

  private void assertResult(String name, double[] expected, double tolerance, long... shape)
      throws IOException {
    assertArrayEquals(shape, files.read(name).shape(), name);
    double[] actual = floats(name);
    double largest = 1;
    for (int i = 0; i < expected.length; i++) {
      if (Double.isNaN(expected[i])) {
        actual[i] = Double.NaN; // padding, free to be anything
      } else if (Double.isFinite(expected[i])) {
        largest = Math.max(largest, Math.abs(expected[i]));
      }
    }
    assertArrayEquals(expected, actual, tolerance * largest, name);
  }
}
