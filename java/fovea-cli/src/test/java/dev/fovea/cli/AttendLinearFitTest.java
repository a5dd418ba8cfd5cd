package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code attend --op distance --local-linear} against its formula in double, and differences. */
class AttendLinearFitTest extends AttendFormula {

  private static final double RIDGE = 0.25;

  @Override
  PlainDistance of(
      int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim) {
    // Half as wide: differences of a fit take a thousand times what those of a sum do.
    PlainDistance plain =
        new PlainDistance(batch, queries, keys, heads, keyHeads, dim / 2, valueDim);
    plain.ridge = RIDGE;
    return plain;
  }

  @Override
  void check(PlainAttention plain, String... options) throws IOException {
    Stream<String> fit = Stream.of("--local-linear", "--ridge", String.valueOf(RIDGE));
    super.check(plain, Stream.concat(Arrays.stream(options), fit).toArray(String[]::new));
  }

  @Test
  void aRidgeNeedsAPlane() throws IOException {
    List<String> line = new PlainLine(files, sizes()).operands();
    line.addAll(files.result("dquery"));
    line.addAll(List.of("--ridge", "0.5"));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(2, cli.code());
    assertTrue(cli.err().contains("only a local linear fit has one"), cli.err());
  }
}
