package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.DType;
import dev.fovea.bench.AttentionProblem.Order;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionMeasurementTest {

  private static final Settings ONCE = new Settings(1, 0, 1);

  static Stream<AttentionProblem> problems() {
    List<AttentionProblem> problems = new ArrayList<>();
    for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
      for (Order order : Order.values()) {
        problems.add(new AttentionProblem(dtype, 37, 3, 8, false, order));
        problems.add(new AttentionProblem(dtype, 70, 2, 16, true, order));
      }
    }
    return problems.stream();
  }

  @ParameterizedTest
  @MethodSource("problems")
  void verifiesAndMeasures(AttentionProblem problem) throws Exception {
    try (Sgemm sgemm = new Sgemm(64, 2)) {
      Row row = new AttentionMeasurement(2, ONCE, null, sgemm, new Ceiling()).measure(problem);
      assertTrue(row.checks().get("error, of allowed") <= 1);
      assertTrue(row.figures().get("fovea GFLOP/s") > 0);
      assertTrue(row.ratios().get(AttentionMeasurement.SGEMM) > 0);
      assertTrue(row.ratios().get(AttentionMeasurement.ONE_THREAD) > 0);
      assertEquals(
          problem.dtype() != DType.FLOAT32, row.ratios().containsKey(AttentionMeasurement.FLOAT32));
      assertEquals(problem.mask(), row.parameters().get("mask"));
    }
  }

  @Test
  void agreesWithLibtorch() throws Exception {
    assumeTrue(Libtorch.isPresent(), "libtorch is not on the class path: mvn -Ppeers verify");
    try (Libtorch libtorch = new Libtorch(1);
        Sgemm sgemm = new Sgemm(64, 1)) {
      AttentionMeasurement measurement =
          new AttentionMeasurement(1, ONCE, libtorch, sgemm, new Ceiling());
      for (AttentionProblem problem : problems().toList()) {
        assertTrue(measurement.measure(problem).ratios().get(AttentionMeasurement.LIBTORCH) > 0);
      }
    }
  }

  @Test
  void refusesAWrongRow() {
    AttentionProblem problem = new AttentionProblem(DType.FLOAT32, 20, 2, 8, true, Order.BHSD);
    try (FoveaAttention attention = new FoveaAttention(problem)) {
      attention.verify(attention.call(1));
      attention.verifyUnchanged();
      attention.out().setFloat(attention.out().getFloat(0, 19, 1, 7) + 1e-4f, 0, 19, 1, 7);
      assertThrows(WrongOutputException.class, () -> OracleRows.verify(attention));
      assertThrows(WrongOutputException.class, attention::verifyUnchanged);
      attention.out().setFloat(Float.NaN, 0, 19, 1, 7);
      assertThrows(WrongOutputException.class, () -> OracleRows.verify(attention));
    }
  }

  @Test
  void refusesADisagreement() {
    AttentionProblem problem = new AttentionProblem(DType.FLOAT32, 20, 2, 8, false, Order.BSHD);
    try (FoveaAttention attention = new FoveaAttention(problem)) {
      attention.verify(attention.call(1));
      float[] theirs = attention.out().toFloatArray();
      assertEquals(0, Agreement.check(attention, theirs));
      theirs[100] += 1e-3f;
      assertThrows(WrongOutputException.class, () -> Agreement.check(attention, theirs));
      theirs[100] = Float.NaN;
      assertThrows(WrongOutputException.class, () -> Agreement.check(attention, theirs));
    }
  }

  @Test
  void countsOperationsOfUnmaskedPairs() {
    AttentionProblem full = new AttentionProblem(DType.FLOAT32, 4, 3, 8, false, Order.BHSD);
    AttentionProblem causal = new AttentionProblem(DType.FLOAT32, 4, 3, 8, true, Order.BHSD);
    assertEquals(2.0 * 3 * 16 * 16, full.flops());
    assertEquals(2.0 * 3 * 16 * 10, causal.flops());
  }

  @Test
  void gridHasEveryFloat32Combination() {
    assertEquals(
        32,
        AttentionGrid.problems(2).stream()
            .filter(problem -> problem.dtype() == DType.FLOAT32)
            .count());
    assertTrue(AttentionGrid.problems(1).size() > AttentionGrid.problems(2).size());
  }
}
