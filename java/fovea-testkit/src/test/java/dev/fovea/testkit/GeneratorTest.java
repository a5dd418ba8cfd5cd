package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.attention.AttentionCases;
import dev.fovea.testkit.attention.DecodeCases;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Cases of each operation are functions of (seed, index), and spread over all features. */
class GeneratorTest {

  /** Those of attention have a test of their own. */
  static final List<Operation> GENERATED =
      Operations.all().stream().filter(it -> it != AttentionCases.OPERATION).toList();

  static final List<Operation> DRAWN =
      GENERATED.stream().filter(it -> it != DecodeCases.OPERATION).toList();

  @ParameterizedTest
  @FieldSource("DRAWN")
  void theSameNumbersGiveTheSameCase(Operation operation) {
    for (Pass pass : operation.passes()) {
      String which = pass == Pass.BACKWARD ? " --pass backward" : "";
      for (int i = 0; i < 40; i++) {
        OperationCase a = generate(operation, pass, 7, i);
        OperationCase b = generate(operation, pass, 7, i);
        assertEquals(a.toString(), b.toString());
        assertEquals(a.dataSeed(), b.dataSeed());
        assertEquals(a.layouts(), b.layouts());
        Map<String, float[]> other = b.draw("cpu").operands();
        a.draw("cpu")
            .operands()
            .forEach((name, values) -> assertArrayEquals(values, other.get(name), name));
        assertNotEquals(a.dataSeed(), generate(operation, pass, 8, i).dataSeed());
        assertEquals("--op " + operation + which + " --seed 7 --case " + i, a.repeat());
      }
    }
  }

  private static OperationCase generate(Operation operation, Pass pass, long seed, int index) {
    return (OperationCase) operation.generate(pass, seed, index, Limits.CPU);
  }

  @ParameterizedTest
  @FieldSource("GENERATED")
  void aThousandCasesOfAnySeedReachTheMinima(Operation operation) {
    for (Pass pass : operation.passes()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(operation, pass, limits);
          for (int i = 0; i < 1000; i++) {
            coverage.add(operation.generate(pass, seed, i, limits), 64, 64);
          }
          assertEquals(List.of(), coverage.belowMinimum(), pass + " of seed " + seed);
        }
      }
    }
  }

  @ParameterizedTest
  @FieldSource("GENERATED")
  void tooFewFeaturesAreSaid(Operation operation) {
    for (Pass pass : operation.passes()) {
      Coverage coverage = new Coverage(operation, pass, Limits.CPU);
      CheckedCase one = operation.generate(pass, 1, 0, Limits.CPU);
      for (int i = 0; i < 1000; i++) {
        coverage.add(one, 64, 64);
      }
      assertTrue(coverage.belowMinimum().size() > 10, pass::toString);
    }
  }
}
