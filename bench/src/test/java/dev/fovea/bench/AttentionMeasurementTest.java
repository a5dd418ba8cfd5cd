package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.bench.AttentionProblem.Order;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.testkit.Pass;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionMeasurementTest {

  private static final Settings ONCE = new Settings(1, 0, 1);

  static Stream<AttentionProblem> problems() {
    List<AttentionProblem> problems = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
        for (Order order : Order.values()) {
          problems.add(new AttentionProblem(pass, dtype, 37, 3, 8, false, order));
          problems.add(new AttentionProblem(pass, dtype, 70, 2, 16, true, order));
        }
      }
    }
    return problems.stream();
  }

  /** Of heads of 8, in float32. */
  private static AttentionProblem small(
      Pass pass, int sequence, int heads, boolean causal, Order order) {
    return new AttentionProblem(pass, DType.FLOAT32, sequence, heads, 8, causal, order);
  }

  @ParameterizedTest
  @MethodSource("problems")
  void verifiesAndMeasures(AttentionProblem problem) throws Exception {
    try (Sgemm sgemm = new Sgemm(64, 2)) {
      Row row =
          new AttentionMeasurement(2, ONCE, null, null, sgemm, new Ceiling(MachineUnit.FLOP))
              .measure(problem);
      assertTrue(row.checks().get("error, of allowed") <= 1);
      assertTrue(row.figures().get("fovea GFLOP/s") > 0);
      assertTrue(row.ratios().get(AttentionMeasurement.SGEMM) > 0);
      assertTrue(row.ratios().get(Race.ONE_THREAD) > 0);
      assertEquals(problem.dtype() != DType.FLOAT32, row.ratios().containsKey(Race.FLOAT32));
      assertEquals(problem.mask(), row.parameters().get("mask"));
    }
  }

  @Test
  void agreesWithLibtorch() throws Exception {
    assumeTrue(Libtorch.isPresent(), "libtorch is not on the class path: mvn -Ppeers verify");
    Libtorch libtorch = new Libtorch(1);
    try (Sgemm sgemm = new Sgemm(64, 1)) {
      AttentionMeasurement measurement =
          new AttentionMeasurement(1, ONCE, libtorch, null, sgemm, new Ceiling(MachineUnit.FLOP));
      for (AttentionProblem problem : problems().toList()) {
        assertTrue(measurement.measure(problem).ratios().get(Race.LIBTORCH) > 0);
      }
    }
  }

  @Test
  void agreesWithPyTorch() throws Exception {
    String python = System.getProperty("fovea.bench.python");
    assumeTrue(python != null, "-Dfovea.bench.python=INTERPRETER of an environment with PyTorch");
    try (Sgemm sgemm = new Sgemm(64, 1);
        PyTorch pytorch = new PyTorch(python, 1)) {
      AttentionMeasurement measurement =
          new AttentionMeasurement(1, ONCE, null, pytorch, sgemm, new Ceiling(MachineUnit.FLOP));
      for (AttentionProblem problem : problems().toList()) {
        assertTrue(measurement.measure(problem).ratios().get(Race.PYTORCH) > 0);
      }
    }
  }

  @Test
  void pythonThatFailsIsAnError() {
    assertThrows(IOException.class, () -> new PyTorch("false", 1));
    assertThrows(IOException.class, () -> new PyTorch("no-such-interpreter", 1));
  }

  @ParameterizedTest
  @EnumSource
  void refusesAWrongRow(Pass pass) {
    AttentionProblem problem = small(pass, 20, 2, true, Order.BHSD);
    try (FoveaAttention attention = FoveaAttention.of(problem)) {
      for (Tensor output : attention.outputs()) {
        attention.verify(attention.work(1));
        attention.verifyUnchanged();
        output.setFloat(output.getFloat(0, 19, 1, 7) + 1e-4f, 0, 19, 1, 7);
        assertThrows(WrongOutputException.class, attention::verifyRows);
        assertThrows(WrongOutputException.class, attention::verifyUnchanged);
        output.setFloat(Float.NaN, 0, 19, 1, 7);
        assertThrows(WrongOutputException.class, attention::verifyRows);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void refusesADisagreement(Pass pass) {
    AttentionProblem problem = small(pass, 20, 2, false, Order.BSHD);
    try (FoveaAttention attention = FoveaAttention.of(problem)) {
      attention.verify(attention.work(1));
      List<float[]> theirs = attention.outputs().stream().map(Tensor::toFloatArray).toList();
      assertEquals(0, Agreement.check(attention, "theirs", theirs));
      for (float[] output : theirs) {
        float right = output[100];
        output[100] += 1e-3f;
        assertThrows(
            WrongOutputException.class, () -> Agreement.check(attention, "theirs", theirs));
        output[100] = Float.NaN;
        assertThrows(
            WrongOutputException.class, () -> Agreement.check(attention, "theirs", theirs));
        output[100] = right;
      }
    }
  }

  @Test
  void countsOperationsOfUnmaskedPairs() {
    AttentionProblem full = small(Pass.FORWARD, 4, 3, false, Order.BHSD);
    AttentionProblem causal = small(Pass.FORWARD, 4, 3, true, Order.BHSD);
    assertEquals(2.0 * 3 * 16 * 16, full.flops());
    assertEquals(2.0 * 3 * 16 * 10, causal.flops());
    AttentionProblem backward = small(Pass.BACKWARD, 4, 3, true, Order.BHSD);
    assertEquals(5.0 * 3 * 16 * 10, backward.flops());
  }

  @Test
  void gridHasEveryFloat32Combination() {
    assertEquals(32, float32Problems(Pass.FORWARD, 1));
    assertEquals(32, float32Problems(Pass.FORWARD, 2));
    assertEquals(32, float32Problems(Pass.BACKWARD, 1));
    assertEquals(8, float32Problems(Pass.BACKWARD, 2), "one length");
    for (Pass pass : Pass.values()) {
      assertTrue(AttentionGrid.problems(pass, 1).size() > AttentionGrid.problems(pass, 2).size());
    }
  }

  private static long float32Problems(Pass pass, int threads) {
    return AttentionGrid.problems(pass, threads).stream()
        .filter(problem -> problem.dtype() == DType.FLOAT32)
        .count();
  }
}
