package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code attend --op additive} against its formula in double, and differences of that. */
class AttendAdditiveTest {

  @TempDir private Path folder;

  private NpyFiles files;

  @BeforeEach
  void nameFiles() {
    files = new NpyFiles(folder);
  }

  private static PlainAdditive sizes() {
    return new PlainAdditive(2, 9, 9, 4, 4, 8, 8);
  }

  private void check(PlainAttention plain, String... options) throws IOException {
    new PlainLine(files, plain).check(PlainLine.FLOAT32, options);
  }

  @Test
  void plain() throws IOException {
    check(sizes());
    check(sizes().withBias(4, 8));
  }

  @Test
  void attentionPooling() throws IOException {
    check(new PlainAdditive(3, 1, 20, 1, 1, 16, 5).withBias(1, 16));
  }

  @Test
  void causalRectangular() throws IOException {
    PlainAttention wide = new PlainAdditive(2, 5, 13, 2, 2, 8, 8).withBias(2, 8);
    wide.causal = true;
    check(wide, "--causal");
    wide.topLeft = true;
    check(wide, "--causal=top-left");
    PlainAttention tall = new PlainAdditive(2, 13, 5, 2, 2, 8, 8); // rows that see no key
    tall.causal = true;
    check(tall, "--causal");
  }

  @Test
  void groupedHeads() throws IOException {
    check(new PlainAdditive(2, 6, 7, 6, 2, 8, 5).withBias(6, 8));
  }

  @Test
  void window() throws IOException {
    PlainAttention window = sizes();
    window.left = 3;
    window.right = 1;
    check(window, "--window", "3,1");
  }

  @Test
  void lengths() throws IOException {
    PlainAttention ragged = sizes().withBias(4, 8);
    ragged.keyLengths = new int[] {6, 0};
    check(ragged);
    ragged.queryLengths = new int[] {2, 9};
    ragged.keyLengths = new int[] {9, 4};
    ragged.causal = true;
    check(ragged, "--causal");
  }

  @Test
  void zeroLength() throws IOException {
    check(new PlainAdditive(2, 9, 0, 4, 4, 8, 8));
    check(new PlainAdditive(2, 0, 9, 4, 4, 8, 8).withBias(4, 8));
    check(new PlainAdditive(0, 9, 9, 4, 4, 8, 8));
  }

  @Test
  void otherTypes() throws IOException {
    PlainAttention plain = sizes().withBias(4, 8);
    new PlainLine(files, plain).check(PlainLine.BFLOAT16, "--dtype", "bfloat16");
    new PlainLine(files, plain).check(PlainLine.FLOAT16, "--dtype", "float16");
    assertEquals(NpyType.FLOAT16, files.read("dquery").type());
    assertEquals(NpyType.FLOAT32, files.read("dweight").type());
  }

  /** As all operands of float32 are: --dtype is for those that share a type. */
  @Test
  void weightIsConverted() throws IOException {
    PlainAdditive plain = sizes();
    PlainLine all = new PlainLine(files, plain);
    List<String> line = all.operands();
    line.addAll(files.result("dweight"));
    float[] weight = new float[plain.weight.length];
    for (int i = 0; i < weight.length; i++) {
      weight[i] = (float) plain.weight[i];
    }
    all.run(line);
    Npy expected = files.read("out");
    files.operand("weight", NpyType.FLOAT64, weight, 4, 8);
    all.run(line);
    assertEquals(-1, expected.data().mismatch(files.read("out").data()));
  }

  @Test
  void simulated() throws IOException {
    PlainAttention all = new PlainAdditive(2, 5, 9, 4, 2, 8, 8).withBias(4, 8);
    all.causal = true;
    check(all, "--causal", "--backend", "sim", "--arch", "sm_90", "--deterministic");
  }
}
