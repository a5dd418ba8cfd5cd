package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** {@code attend --op additive} against its formula in double, and differences of that. */
class AttendAdditiveTest extends AttendFormula {

  @Override
  PlainAdditive of(
      int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    return new PlainAdditive(batch, queries, keys, heads, keyHeads, dim, valueDim);
  }

  /** Without a bias, and with one. */
  @Override
  void check(PlainAttention plain, String... options) throws IOException {
    plain.bias = null;
    super.check(plain, options);
    super.check(plain.withBias(plain.heads, plain.dim), options);
  }

  @Test
  void attentionPooling() throws IOException {
    check(new PlainAdditive(3, 1, 20, 1, 1, 16, 5).withBias(1, 16));
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
    PlainAdditive plain = of(2, 9, 9, 4, 4, 8, 8);
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
