package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @ParameterizedTest
  @EnumSource(Pass.class)
  void theSameNumbersGiveTheSameCase(Pass pass) {
    for (Kind kind : Kind.values()) {
      theSameNumbersGiveTheSameCase(kind, pass);
    }
  }

  private static void theSameNumbersGiveTheSameCase(Kind kind, Pass pass) {
    for (int i = 0; i < 40; i++) {
      PairCase a = CaseGenerator.generate(kind, pass, 7, i, Limits.CPU);
      PairCase b = CaseGenerator.generate(kind, pass, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      assertEquals(a.layouts(), b.layouts());
      assertArrayEquals(Operands.of(a).get("query"), Operands.of(b).get("query"));
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(kind, pass, 8, i, Limits.CPU).dataSeed());
      String which = pass == Pass.BACKWARD ? " --pass backward" : "";
      assertEquals("--op " + kind.table().name() + which + " --seed 7 --case " + i, a.repeat());
    }
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void everyCaseIsLegal(Pass pass) {
    for (int i = 0; i < 6000; i++) {
      Kind kind = Kind.values()[i % 2];
      PairCase c = CaseGenerator.generate(kind, pass, 3, i, Limits.CPU);
      Geometry g = c.geometry();
      assertEquals(0, g.queryHeads() % g.keyHeads(), c.toString());
      assertTrue(g.headDim() >= 1 && g.valueHeadDim() >= 1, c.toString());
      for (int b = 0; b < g.batch(); b++) {
        assertTrue(g.lenQ(b) >= 0 && g.lenQ(b) <= g.queryLength(), c.toString());
        assertTrue(g.lenK(b) >= 0 && g.lenK(b) <= g.roomK(b), c.toString());
        assertTrue(g.roomK(b) <= g.keyLength(), c.toString());
      }
      assertEquals(pass == Pass.BACKWARD, c.has("dquery"), c.toString());
      assertTrue(!c.hasAny("dbias") || c.hasAny("bias"), c.toString());
    }
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void aThousandCasesOfAnySeedReachTheMinima(Pass pass) {
    for (Operation operation : List.of(AdditiveCases.OPERATION, DistanceCases.OPERATION)) {
      reachMinima(operation, pass);
    }
  }

  private static void reachMinima(Operation operation, Pass pass) {
    for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
      for (long seed = 1; seed <= 3; seed++) {
        Coverage coverage = new Coverage(operation, pass, limits);
        for (int i = 0; i < 1000; i++) {
          coverage.add(operation.generate(pass, seed, i, limits), 64, 128);
        }
        String what = operation + " " + pass + " of seed " + seed;
        assertEquals(List.of(), coverage.belowMinimum(), what);
      }
    }
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage(AdditiveCases.OPERATION, Pass.FORWARD, Limits.CPU);
    PairCase c = new CaseBuilder(Kind.ADDITIVE).build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 64);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
