package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Both passes of {@code attend}, backward against differences of a plain forward in double. */
class AttendGradientsTest extends AttendFormula {

  @Override
  PlainAttention of(
      int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    return new PlainAttention(batch, queries, keys, heads, keyHeads, dim, valueDim);
  }

  @Test
  void bias() throws IOException {
    check(sizes().withBias(2, 4, 9, 9));
    check(sizes().withBias(1, 4, 1, 9));
    check(sizes().withBias(2, 1, 9, 9));
  }

  @Test
  void positions() throws IOException {
    check(new PlainPositions(2, 6, 9, 4, 2, 4, 5), "--position-origin", "5");
    PlainAttention shared = new PlainPositions(2, 7, 7, 4, 4, 1, 0);
    shared.causal = true;
    check(shared, "--causal");
    PlainAttention simulated = new PlainPositions(1, 5, 8, 2, 1, 2, 6);
    simulated.softcap = 2;
    check(simulated, "--position-origin", "6", "--softcap", "2", "--backend", "sim");
  }

  @Test
  void softcapAndScale() throws IOException {
    PlainAttention capped = sizes();
    capped.softcap = 2;
    capped.scale = 0.5;
    check(capped, "--softcap", "2", "--scale", "0.5");
  }

  @Test
  void slopesAndSinks() throws IOException {
    PlainAttention all = sizes().withSlopes(4);
    all.sinks = all.values(4);
    check(all, "--deterministic");
    PlainAttention perBatch = sizes().withSlopes(2, 4);
    perBatch.causal = true;
    check(perBatch, "--causal");
    for (long[] shared : new long[][] {{1}, {2, 1}, {1, 4}}) {
      check(sizes().withSlopes(shared));
    }
  }

  @Test
  void sixteenBitsFromFloat32Files() throws IOException {
    new PlainLine(files, sizes()).check(PlainLine.BFLOAT16, "--dtype", "bfloat16");
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
    dropoutIsThatOfTheForwardPass(sizes());
    dropoutIsThatOfTheForwardPass(new PlainAdditive(2, 9, 9, 4, 4, 8, 8));
  }

  private void dropoutIsThatOfTheForwardPass(PlainAttention plain) throws IOException {
    PlainLine all = new PlainLine(files, plain);
    List<String> line = all.operands();
    line.addAll(List.of("--dropout", "0.5", "--seed", "7", "--offset", "3"));
    line.addAll(files.result("dvalue"));
    all.run(line);
    double fromOut = dot(plain.dout, all.floats("out"));
    assertEquals(fromOut, dot(plain.value, all.floats("dvalue")), 1e-4);
    assertTrue(Math.abs(fromOut - plain.loss()) > 1e-2, "nothing is dropped");
  }

  @Test
  void onlyWhatIsAskedForIsWritten() throws IOException {
    PlainLine all = new PlainLine(files, sizes());
    List<String> line = all.operands();
    line.addAll(files.result("dkey"));
    JsonObject json = all.run(line);
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
    List<String> line = new PlainLine(files, sizes()).operands();
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

  private static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }
}
