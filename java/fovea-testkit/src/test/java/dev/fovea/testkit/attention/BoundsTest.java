package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Sigmoid;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Bias;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The bounds tell right outputs from those of the usual bugs, played by a slightly other oracle.
 */
class BoundsTest {

  private static CaseBuilder usual(DType type) {
    return new CaseBuilder().dtype(type).lengths(1, 64, 256).heads(2, 1).headDim(64).causal();
  }

  /** What comparing gives for the exact result of {@code actual} where {@code c} is expected. */
  private static String verdict(AttentionCase c, AttentionCase actual, UnaryOperator<Double> bug) {
    Expected expected = Oracle.run(c, Operands.of(c), Precision.CPU).out();
    return verdict(expected, Oracle.run(actual, Operands.of(actual), Precision.CPU).out(), bug);
  }

  private static String verdict(Expected expected, Expected played, UnaryOperator<Double> bug) {
    DType type = expected.dtype();
    try (Arena arena = Arena.ofConfined()) {
      int n = expected.elements();
      MemorySegment memory = arena.allocate((long) n * Rounding.bytes(type), 4);
      float[] values = new float[n];
      for (int i = 0; i < n; i++) {
        values[i] = Rounding.round(type, bug.apply(played.value(i)));
      }
      Rounding.write(memory, type, values);
      return Comparison.compare("out", memory, expected);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void exactResultsPass(DType type) {
    AttentionCase c = usual(type).build();
    assertNull(verdict(c, c, x -> x));
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void aMaskOffByOneFails(DType type) {
    AttentionCase c = usual(type).build();
    assertNotNull(verdict(c, usual(type).window(-1, 1).topLeft().build(), x -> x));
    AttentionCase window = usual(type).window(100, -1).build();
    assertNull(verdict(window, window, x -> x));
    assertNotNull(verdict(window, usual(type).window(99, -1).build(), x -> x));
    assertNotNull(verdict(window, usual(type).window(101, -1).build(), x -> x));
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void aWrongFactorFails(DType type) {
    AttentionCase c = usual(type).build();
    assertNotNull(verdict(c, c, x -> x * (1 + 3 * Rounding.unit(type) + 1e-4)));
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "BFLOAT16"})
  void cuttingInsteadOfRoundingFails(DType type) {
    AttentionCase c = usual(type).build();
    double unit = Rounding.unit(type);
    assertNotNull(verdict(c, c, x -> x - 0.9 * unit * x));
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "BFLOAT16"})
  void otherDropoutBitsFail(DType type) {
    AttentionCase c = usual(type).dropout(0.1f, 1, 0).build();
    assertNull(verdict(c, c, x -> x));
    assertNotNull(verdict(c, usual(type).dropout(0.1f, 1, 1).build(), x -> x));
  }

  /** Errors that each stay within the bound of their element, but all lean the same way. */
  @Test
  void theMeanIsBoundedToo() {
    AttentionCase c = usual(DType.BFLOAT16).outDType(DType.FLOAT32).build();
    Expected expected = Oracle.run(c, Operands.of(c), Precision.TENSOR_CORE).out();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(4L * expected.elements(), 4);
      for (int i = 0; i < expected.elements(); i++) {
        double leaning = expected.value(i) + 0.9 * expected.allowed(i);
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) leaning);
      }
      String verdict = Comparison.compare("out", memory, expected);
      assertNotNull(verdict);
      assertTrue(verdict.contains("root mean square"), verdict);
    }
  }

  /**
   * Rows of one key have the error of its gate, which a kernel that rounds weights makes alike in
   * all columns; by the model of independent errors the worst gates fail, and with an error of one
   * more unit all do.
   */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "BFLOAT16"})
  void theOnlyWeightOfARowIsNoSample(DType type) {
    int unlucky = 0;
    for (int seed = 0; seed < 60; seed++) {
      AttentionCase c =
          new CaseBuilder()
              .dtype(type)
              .content(Content.NORMAL, seed)
              .lengths(1, 8, 1)
              .heads(1, 1)
              .headDim(128)
              .gates(Gates.ofKeys(Bias.KEY_ONLY))
              .build();
      Operands data = Operands.of(c);
      Expected expected = Oracle.run(c, data, Precision.TENSOR_CORE).out();
      double gate = Sigmoid.of(data.keyGates()[c.layouts().keyGates().at(0, 0, 0)]);
      if (gate < 0x1p-6) {
        continue; // results are to be normal numbers of float16
      }
      double rounded = Rounding.round(type, gate) / gate;
      assertNull(verdict(expected, expected, x -> x * rounded), "gate " + gate);
      double unit = Rounding.unit(type);
      assertNotNull(verdict(expected, expected, x -> x * rounded + 2 * unit * x), "gate " + gate);
      double model = 1.3 * unit * Math.sqrt(2 / 6.0);
      unlucky += Math.abs(rounded - 1) > model ? 1 : 0;
    }
    assertTrue(unlucky > 0, "the model held for all gates");
  }

  @Test
  void nothingWrittenFails() {
    AttentionCase c = usual(DType.FLOAT32).build();
    Expected expected = Oracle.run(c, Operands.of(c), Precision.CPU).out();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(4L * expected.elements(), 4);
      Rounding.writeBits(
          memory, DType.FLOAT32, Rounding.canaries(DType.FLOAT32, expected.elements()));
      assertNotNull(Comparison.compare("out", memory, expected));
    }
  }

  @Test
  void theTensorCoreBoundIsTheSpecifications() {
    AttentionCase c = usual(DType.BFLOAT16).build();
    Operands data = Operands.of(c);
    Expected cpu = Oracle.run(c, data, Precision.CPU).out();
    Expected cuda = Oracle.run(c, data, Precision.TENSOR_CORE).out();
    // sum p|v| is about 0.8 for N(0,1) values, so u times it dominates.
    assertEquals(0x1p-8 * 0.8, cuda.allowed(5) - cpu.allowed(5), 0.001);
  }
}
