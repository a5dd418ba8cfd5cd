package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.cli.npy.NpyType;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** {@code attend --op distance} against its formula in double, and differences of that. */
class AttendDistanceTest extends AttendFormula {

  @Override
  PlainDistance of(
      int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    return new PlainDistance(batch, queries, keys, heads, keyHeads, dim, valueDim);
  }

  @Test
  void otherTypes() throws IOException {
    PlainAttention plain = sizes();
    new PlainLine(files, plain).check(PlainLine.BFLOAT16, "--dtype", "bfloat16");
    new PlainLine(files, plain).check(PlainLine.FLOAT16, "--dtype", "float16");
    assertEquals(NpyType.FLOAT16, files.read("dquery").type());
    assertEquals(NpyType.FLOAT32, files.read("dbandwidth").type());
  }

  @Test
  void simulated() throws IOException {
    PlainAttention all = new PlainDistance(2, 5, 9, 4, 2, 8, 8);
    all.causal = true;
    check(all, "--causal", "--backend", "sim", "--arch", "sm_90", "--deterministic");
  }
}
