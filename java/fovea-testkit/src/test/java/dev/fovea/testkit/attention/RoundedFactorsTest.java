package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.attention.AttentionCase.Content;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The bounds of products in TF32 hold for an emulation of them, and not by much. */
class RoundedFactorsTest {

  private static final int QUERIES = 24;

  private static CaseBuilder usual(int headDim, int keys, Content content) {
    return new CaseBuilder()
        .lengths(1, QUERIES, keys)
        .headDim(headDim, 64)
        .sinks()
        .allowTf32()
        .outputs(true, true)
        .content(content, headDim * 1000L + keys);
  }

  /** Rounds to nearest with {@code bits} significant bits. */
  private static double round(double x, int bits) {
    if (x == 0) {
      return 0;
    }
    double step = Math.scalb(1.0, Math.getExponent(x) - bits + 1);
    return Math.rint(x / step) * step;
  }

  /** out, lse and weights of a dense case whose products take factors of so many bits. */
  private record Emulated(double[] out, double[] lse, double[] weights) {

    static Emulated of(AttentionCase c, int bits) {
      Geometry g = c.geometry();
      Operands data = Operands.of(c);
      int n = g.keyLength();
      double scale = c.options().scale() == null ? 1 / Math.sqrt(g.headDim()) : c.options().scale();
      double cap = c.options().softcap();
      double[] out = new double[QUERIES * g.valueHeadDim()];
      double[] lse = new double[QUERIES];
      double[] weights = new double[QUERIES * n];
      for (int i = 0; i < QUERIES; i++) {
        double[] x = new double[n];
        double max = data.sinks()[0];
        for (int j = 0; j < n; j++) {
          for (int d = 0; d < g.headDim(); d++) {
            x[j] +=
                round(data.query()[i * g.headDim() + d], bits)
                    * round(data.key()[j * g.headDim() + d], bits);
          }
          x[j] *= scale;
          x[j] = cap > 0 ? cap * Math.tanh(x[j] / cap) : x[j];
          max = Math.max(max, x[j]);
        }
        double sum = Math.exp(data.sinks()[0] - max);
        for (int j = 0; j < n; j++) {
          sum += Math.exp(x[j] - max);
        }
        lse[i] = max + Math.log(sum);
        for (int j = 0; j < n; j++) {
          weights[i * n + j] = Math.exp(x[j] - lse[i]);
          double p = round(Math.exp(x[j] - max), bits);
          for (int d = 0; d < g.valueHeadDim(); d++) {
            double v = round(data.value()[j * g.valueHeadDim() + d], bits);
            out[i * g.valueHeadDim() + d] += p * v / sum;
          }
        }
      }
      return new Emulated(out, lse, weights);
    }
  }

  private static double worst(double[] got, Expected expected) {
    double worst = 0;
    for (int i = 0; i < got.length; i++) {
      worst = Math.max(worst, Math.abs(got[i] - expected.value(i)) / expected.allowed(i));
    }
    return worst;
  }

  private static String compare(double[] got, Expected expected) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(4L * got.length, 4);
      for (int i = 0; i < got.length; i++) {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) got[i]);
      }
      return Comparison.compare("it", memory, expected);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, NORMAL, 0",
    "3, 70, NORMAL, 0",
    "16, 300, NORMAL, 0",
    "64, 300, OUTLIERS, 0",
    "64, 70, EXTREME, 0",
    "128, 500, NORMAL, 0",
    "128, 500, NORMAL, 2",
    "128, 70, EXTREME, 30",
    "256, 200, EXTREME, 0",
    "59, 130, CONSTANT, 0",
    "64, 64, TINY, 0"
  })
  void elevenBitsPassAndEightDoNot(int headDim, int keys, Content content, float softcap) {
    AttentionCase c = usual(headDim, keys, content).softcap(softcap).build();
    Oracle.Outputs expected = Oracle.run(c, Operands.of(c), Precision.TENSOR_CORE);
    Emulated right = Emulated.of(c, 11);
    assertNull(compare(right.out, expected.out()));
    assertNull(compare(right.lse, expected.lse()));
    assertNull(compare(right.weights, expected.weights()));
    if (content == Content.CONSTANT) {
      return; // the bound is for the worst constant, and this is one that rounds well
    }
    double tight = worst(right.out, expected.out());
    assertTrue(tight > 0.25, "the largest error is " + tight + " of what is allowed");
    // bfloat16 in disguise: 8 times the error.
    assertNotNull(compare(Emulated.of(c, 8).out, expected.out()));
  }

  @Test
  void theCpuAndOtherTypesAreNotLetOff() {
    AttentionCase c = usual(64, 100, Content.NORMAL).build();
    AttentionCase plain = new CaseBuilder().lengths(1, QUERIES, 100).headDim(64).build();
    Operands data = Operands.of(c);
    Expected cpu = Oracle.run(c, data, Precision.CPU).out();
    assertNotNull(compare(Emulated.of(c, 11).out, cpu));
    // Sums are cut to float32, which is less by far than factors of 11 bits.
    assertEquals(
        Oracle.run(plain, data, Precision.CPU).out().allowed(7),
        Oracle.run(plain, data, Precision.TENSOR_CORE).out().allowed(7),
        1e-5);
    CaseBuilder half = usual(64, 100, Content.NORMAL).dtype(DType.FLOAT16);
    AttentionCase allowed = half.build();
    half.allowTf32 = false;
    AttentionCase not = half.build();
    Operands halves = Operands.of(not);
    assertEquals(
        Oracle.run(not, halves, Precision.TENSOR_CORE).out().allowed(7),
        Oracle.run(allowed, halves, Precision.TENSOR_CORE).out().allowed(7));
  }
}
