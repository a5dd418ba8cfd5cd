package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.bench.Interleaved.Settings;
import dev.fovea.bench.Report.Row;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ComposedMeasurementTest {

  private static final Settings ONCE = new Settings(1, 0, 1);

  static Stream<ComposedProblem> problems() {
    List<ComposedProblem> problems = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)) {
        problems.add(new AdditiveProblem(pass, dtype, 1, 37, 41, 1, 8, 5));
        problems.add(new AdditiveProblem(pass, dtype, 2, 9, 20, 3, 16, 8));
        problems.add(new AdditiveProblem(pass, dtype, 3, 1, 70, 1, 8, 8));
        problems.add(new BlockProblem(pass, dtype, 8, 30, 37, 2, 16));
        for (LinearProblem.Form form : LinearProblem.Form.values()) {
          problems.add(new LinearProblem(form, pass, dtype, 2, 37, 3, 8));
        }
        problems.add(new ProjectionProblem(true, pass, dtype, 2, 37, 5, 3, 8));
        problems.add(new ProjectionProblem(false, pass, dtype, 3, 20, 7, 2, 16));
        problems.add(new RotaryProblem(false, pass, dtype, 2, 37, 3, 16));
        problems.add(new RotaryProblem(true, pass, dtype, 3, 20, 2, 22));
        problems.add(new ImageProblem(Kind.CHANNEL, pass, dtype, false, 3, 5, 7, 2));
        problems.add(new ImageProblem(Kind.CHANNEL, pass, dtype, true, 2, 8, 5, 3));
        problems.add(new ImageProblem(Kind.SPATIAL, pass, dtype, false, 3, 5, 7, 3));
        problems.add(new ImageProblem(Kind.SPATIAL, pass, dtype, true, 2, 8, 9, 5));
      }
    }
    for (DType cache :
        List.of(DType.FLOAT32, DType.BFLOAT16, DType.INT8, DType.INT4X2, DType.FLOAT8_E4M3)) {
      problems.add(new DecodeProblem(cache, 2, 1, 40, 2, 3, 16, 8));
      problems.add(new DecodeProblem(cache, 3, 5, 33, 1, 2, 8, 0));
    }
    return problems.stream();
  }

  @ParameterizedTest
  @MethodSource("problems")
  void verifiesAndMeasures(ComposedProblem problem) throws Exception {
    Row row = new ComposedMeasurement(2, ONCE, false).measure(problem);
    assertTrue(row.checks().get("error, of allowed") <= 1);
    assertTrue(row.figures().get("fovea ms") > 0);
    assertTrue(row.figures().get("fovea MiB") > 0);
    assertTrue(row.figures().get(ComposedMeasurement.UNITS_A_SECOND) > 0);
    assertTrue(row.figures().get(ComposedMeasurement.UNITS_A_CYCLE) > 0);
    assertTrue(row.ratios().get(ComposedMeasurement.FLOOR) > 0);
    assertTrue(row.ratios().get(Race.ONE_THREAD) > 0);
    assertFalse(row.ratios().containsKey(Race.LIBTORCH));
    assertEquals(problem.dtype() != DType.FLOAT32, row.ratios().containsKey(Race.FLOAT32));
  }

  @Test
  void agreesWithLibtorch() throws Exception {
    assumeTrue(Libtorch.isPresent(), "libtorch is not on the class path: mvn -Ppeers verify");
    assertFalse(new Libtorch(1).version().isEmpty());
    ComposedMeasurement measurement = new ComposedMeasurement(1, ONCE, true);
    for (ComposedProblem problem : problems().toList()) {
      Row row = measurement.measure(problem);
      assertTrue(row.ratios().get(Race.LIBTORCH) > 0);
      assertTrue(row.figures().containsKey("libtorch MiB"));
    }
  }

  @ParameterizedTest
  @MethodSource("problems")
  void refusesAWrongRow(ComposedProblem problem) {
    try (ComposedSide<?> side = problem.open()) {
      for (Tensor output : side.outputs()) {
        side.verify(side.work(1));
        side.verifyUnchanged();
        long[] last = Arrays.stream(output.shape()).map(size -> size - 1).toArray();
        output.setFloat(output.getFloat(last) + 1, last);
        assertThrows(WrongOutputException.class, side::verifyRows);
        assertThrows(WrongOutputException.class, side::verifyUnchanged);
        output.setFloat(Float.NaN, last);
        assertThrows(WrongOutputException.class, side::verifyRows);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("problems")
  void refusesADisagreement(ComposedProblem problem) {
    try (ComposedSide<?> side = problem.open()) {
      side.verify(side.work(1));
      List<float[]> theirs = side.outputs().stream().map(Tensor::toFloatArray).toList();
      assertEquals(0, Agreement.check(side, "theirs", theirs));
      for (float[] output : theirs) {
        float right = output[output.length - 1];
        output[output.length - 1] = right + 10;
        assertThrows(WrongOutputException.class, () -> Agreement.check(side, "theirs", theirs));
        output[output.length - 1] = Float.NaN;
        assertThrows(WrongOutputException.class, () -> Agreement.check(side, "theirs", theirs));
        output[output.length - 1] = right;
      }
    }
  }

  @Test
  void countsTheMemoryOfTheWholeStep() {
    AdditiveProblem forward = new AdditiveProblem(Pass.FORWARD, DType.FLOAT32, 1, 10, 20, 2, 8, 4);
    AdditiveProblem backward =
        new AdditiveProblem(Pass.BACKWARD, DType.FLOAT32, 1, 10, 20, 2, 8, 4);
    int out = 2 * 10 * 4;
    int lse = 2 * 10;
    int gradients = 2 * (10 * 8 + 20 * 8 + 20 * 4) + 2 * (2 * 8);
    try (FoveaAdditive one = forward.open();
        FoveaAdditive both = backward.open()) {
      long working = one.plan().workspaceBytes() + 3 * one.plan().scratchBytes();
      assertEquals(4 * out + working, one.bytes(3));
      long ofBackward = both.plan().workspaceBytes() + 3 * both.plan().scratchBytes();
      assertEquals(4 * (out + lse + gradients) + Math.max(working, ofBackward), both.bytes(3));
    }
  }

  @Test
  void everyMechanismHasItsHeadlineOnAnyNumberOfThreads() {
    for (Mechanism mechanism : Mechanism.values()) {
      for (Pass pass : Pass.values()) {
        for (int threads = 1; threads <= 2; threads++) {
          assertTrue(mechanism.problems(threads).contains(mechanism.headline(pass)));
        }
      }
    }
  }

  @Test
  void theFloorIsThatOfTheBusiestUnit() {
    AdditiveProblem problem = new AdditiveProblem(Pass.FORWARD, DType.FLOAT32, 1, 10, 20, 2, 8, 4);
    Floor floor = problem.floor();
    assertEquals(10 * 20 * 2 * 8, floor.count());
    assertEquals(floor.count() / 4, floor.work().get(MachineUnit.DIVISION));
    double powers = 30 * 2 * 8;
    double products = 10 * 20 * 2 * 4;
    assertEquals(
        2 * (3.75 * floor.count() + 18 * powers + products), floor.work().get(MachineUnit.FLOP));
  }
}
