package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The backward pass of {@code attend} against differences of a plain forward pass in double. */
class AttendGradientsTest {

  /**
   * Of the largest gradient of an operand: 160 roundings of float32, where a gradient is made of
   * some hundred terms with a dozen roundings each, of random sign.
   */
  private static final double FLOAT32 = 160 * 0x1p-24;

  /** Out, with it delta, and the gradient are rounded: the first moves all terms of the last. */
  private static final double BFLOAT16 = 4 * 0x1p-8;

  @TempDir private Path folder;

  private NpyFiles files;

  @BeforeEach
  void nameFiles() {
    files = new NpyFiles(folder);
  }

  private static PlainAttention sizes() {
    return new PlainAttention(2, 9, 9, 4, 4, 8, 8);
  }

  @Test
  void plain() throws IOException {
    check(sizes());
  }

  @Test
  void causalRectangular() throws IOException {
    PlainAttention wide = new PlainAttention(2, 5, 13, 2, 2, 8, 8);
    wide.causal = true;
    check(wide, "--causal");
    wide.topLeft = true;
    check(wide, "--causal=top-left");
    PlainAttention tall = new PlainAttention(2, 13, 5, 2, 2, 8, 8); // rows that see no key
    tall.causal = true;
    check(tall, "--causal");
  }

  @Test
  void groupedHeads() throws IOException {
    check(new PlainAttention(2, 6, 7, 6, 2, 8, 5));
  }

  @Test
  void bias() throws IOException {
    check(sizes().withBias(2, 4, 9, 9));
    check(sizes().withBias(1, 4, 1, 9));
    check(sizes().withBias(2, 1, 9, 9));
  }

  @Test
  void window() throws IOException {
    PlainAttention window = sizes();
    window.left = 3;
    window.right = 1;
    check(window, "--window", "3,1");
  }

  @Test
  void softcapAndScale() throws IOException {
    PlainAttention capped = sizes();
    capped.softcap = 2;
    capped.scale = 0.5;
    check(capped, "--softcap", "2", "--scale", "0.5");
  }

  @Test
  void lengths() throws IOException {
    PlainAttention ragged = sizes();
    ragged.keyLengths = new int[] {6, 0};
    check(ragged);
    ragged.queryLengths = new int[] {2, 9};
    ragged.keyLengths = new int[] {9, 4};
    ragged.causal = true;
    check(ragged, "--causal");
  }

  @Test
  void zeroLength() throws IOException {
    check(new PlainAttention(2, 9, 0, 4, 4, 8, 8));
    check(new PlainAttention(2, 0, 9, 4, 4, 8, 8));
    check(new PlainAttention(0, 9, 9, 4, 4, 8, 8));
  }

  @Test
  void slopesAndSinks() throws IOException {
    PlainAttention all = sizes();
    all.slopes = all.values(4);
    all.sinks = all.values(4);
    check(all, "--deterministic");
    PlainAttention perBatch = sizes();
    perBatch.slopes = perBatch.values(8);
    perBatch.slopesPerBatch = true;
    perBatch.causal = true;
    check(perBatch, "--causal");
  }

  @Test
  void sixteenBitsFromFloat32Files() throws IOException {
    check(BFLOAT16, sizes(), "--dtype", "bfloat16");
  }

  @Test
  void simulated() throws IOException {
    PlainAttention all = new PlainAttention(2, 5, 9, 4, 2, 8, 8).withBias(1, 4, 5, 9);
    all.sinks = all.values(4);
    all.causal = true;
    check(all, "--causal", "--backend", "sim", "--arch", "sm_90", "--deterministic");
  }

  /** Out is linear in value, whatever is dropped, as long as both passes drop the same. */
  @Test
  void dropoutIsThatOfTheForwardPass() throws IOException {
    PlainAttention plain = sizes();
    List<String> line = operands(plain);
    line.addAll(List.of("--dropout", "0.5", "--seed", "7", "--offset", "3"));
    line.addAll(files.result("dvalue"));
    run(line);
    double fromOut = dot(plain.dout, floats("out"));
    assertEquals(fromOut, dot(plain.value, floats("dvalue")), 1e-4);
    assertTrue(Math.abs(fromOut - plain.loss()) > 1e-2, "nothing is dropped");
  }

  @Test
  void onlyWhatIsAskedForIsWritten() throws IOException {
    List<String> line = operands(sizes());
    line.addAll(files.result("dkey"));
    JsonObject json = run(line);
    assertTrue(Files.exists(files.file("dkey")));
    assertFalse(Files.exists(files.file("dquery")));
    JsonObject backward = json.getAsJsonObject("backward");
    assertTrue(backward.get("kernel").getAsString().contains("backward"), backward.toString());
    assertEquals("[2,9,4,8]", backward.getAsJsonObject("dkey").get("shape").toString());
    assertFalse(backward.has("dquery"));
    assertFalse(json.has("lse"));
  }

  @Test
  void misshapenGradientsAreNamed() throws IOException {
    String dout = "--dout " + files.file("dout");
    List<String> line = operands(sizes());
    line.addAll(files.result("dquery"));
    files.operand("dout", NpyType.FLOAT32, new float[24], 1, 3, 2, 4);
    refused(line, dout + " has shape [1, 3, 2, 4]");
    files.operand("dout", NpyType.FLOAT16, new float[2 * 9 * 4 * 8], 2, 9, 4, 8);
    refused(line, dout + " is float16");
    files.operand("dout", NpyType.INT32, new float[2 * 9 * 4 * 8], 2, 9, 4, 8);
    refused(line, dout + " has elements of type <i4");
  }

  private static void refused(List<String> line, String text) {
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertTrue(cli.err().startsWith(text), cli.err());
    assertEquals(1, cli.err().strip().lines().count(), cli.err());
  }

  private void check(PlainAttention plain, String... options) throws IOException {
    check(FLOAT32, plain, options);
  }

  private void check(double tolerance, PlainAttention plain, String... options) throws IOException {
    List<String> line = operands(plain);
    line.addAll(List.of(options));
    List<String> names = new ArrayList<>(List.of("query", "key", "value"));
    List<double[]> all = new ArrayList<>(List.of(plain.query, plain.key, plain.value));
    if (plain.bias != null) {
      names.add("bias");
      all.add(plain.bias);
    }
    if (plain.slopes != null) {
      names.add("alibi-slopes");
      all.add(plain.slopes);
    }
    if (plain.sinks != null) {
      names.add("sinks");
      all.add(plain.sinks);
    }
    names.forEach(name -> line.addAll(files.result("d" + name)));
    run(line);
    for (int i = 0; i < all.size(); i++) {
      String name = names.get(i);
      assertArrayEquals(files.read(name).shape(), files.read("d" + name).shape(), name);
      double[] expected = plain.gradient(all.get(i));
      double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
      double[] actual = floats("d" + name);
      assertArrayEquals(expected, actual, tolerance * Math.max(1, largest), "d" + name);
    }
  }

  private JsonObject run(List<String> line) {
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    return cli.json();
  }

  private List<String> operands(PlainAttention plain) throws IOException {
    List<String> line = new ArrayList<>(List.of("attend", "--json"));
    int b = plain.batch;
    int q = plain.queries;
    int k = plain.keys;
    line.addAll(operand("query", plain.query, b, q, plain.heads, plain.dim));
    line.addAll(operand("key", plain.key, b, k, plain.keyHeads, plain.dim));
    line.addAll(operand("value", plain.value, b, k, plain.keyHeads, plain.valueDim));
    line.addAll(operand("dout", plain.dout, b, q, plain.heads, plain.valueDim));
    line.addAll(operand("bias", plain.bias, plain.biasShape));
    line.addAll(
        plain.slopesPerBatch
            ? operand("alibi-slopes", plain.slopes, b, plain.heads)
            : operand("alibi-slopes", plain.slopes, plain.heads));
    line.addAll(operand("sinks", plain.sinks, plain.heads));
    line.addAll(files.lengths("query-lengths", NpyType.INT32, plain.queryLengths));
    line.addAll(files.lengths("key-lengths", NpyType.INT64, plain.keyLengths));
    line.addAll(files.result("out"));
    return line;
  }

  private List<String> operand(String name, double[] values, long... shape) throws IOException {
    if (values == null) {
      return List.of();
    }
    float[] exact = new float[values.length];
    for (int i = 0; i < exact.length; i++) {
      exact[i] = (float) values[i];
    }
    return files.operand(name, NpyType.FLOAT32, exact, shape);
  }

  private double[] floats(String name) throws IOException {
    Npy array = files.read(name);
    double[] values = new double[(int) array.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.data().getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
    }
    return values;
  }

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }
}
