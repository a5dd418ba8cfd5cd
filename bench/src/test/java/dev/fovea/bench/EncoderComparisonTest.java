package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.cli.demo.Model;
import dev.fovea.cli.demo.OnnxRuntime;
import dev.fovea.encoder.Encoder;
import java.util.List;
import org.junit.jupiter.api.Test;

class EncoderComparisonTest {

  private static final int BEGIN = 101;
  private static final int END = 102;

  @Test
  void verifiesAndMeasures() throws Exception {
    byte[] model = Model.read();
    List<int[]> sentences =
        List.of(new int[] {BEGIN, 2054, 2003, 1037, 16215, END}, new int[] {BEGIN, 7592, END});
    try (Encoder encoder = Model.encoder(model);
        OnnxRuntime peer = new OnnxRuntime(model, 1)) {
      EncoderComparison comparison = new EncoderComparison();
      comparison.threads = 1;
      Row row =
          comparison.measure(
              encoder, peer, sentences, new Settings(1, 0, 1), new Ceiling(MachineUnit.FLOP));
      assertEquals("9", row.parameters().get("tokens"));
      assertEquals("12", row.parameters().get("padded tokens"));
      assertTrue(row.figures().get("fovea sentences/s") > 0);
      assertTrue(row.ratios().get(EncoderComparison.ONE_BY_ONE) > 0);
    }
  }

  @Test
  void countsUsefulOperations() {
    // Six layers of 12 * 384^2 multiply-adds a token, and two products of attention.
    assertEquals(
        6 * (2 * 12.0 * 384 * 384 + 4 * 384), EncoderComparison.flops(List.of(new int[1])));
  }
}
