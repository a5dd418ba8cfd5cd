package dev.fovea.testkit.projection;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 30; i++) {
      ProjectionCase a = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      ProjectionCase b = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      assertArrayEquals(Operands.of(a).get("x"), Operands.of(b).get("x"));
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(Pass.BACKWARD, 8, i, Limits.CPU).dataSeed());
      assertEquals("--op projection --pass backward --seed 7 --case " + i, a.repeat());
    }
  }

  @Test
  void everyCaseIsLegal() {
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 3000; i++) {
        ProjectionCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
        ProjectionSizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.length() >= 0 && s.rank() >= 0, c::toString);
        assertTrue(s.heads() >= 1 && s.headDim() >= 1, c::toString);
        for (int b = 0; b < s.batch(); b++) {
          assertTrue(s.length(b) >= 0 && s.length(b) <= s.length(), c::toString);
        }
        assertEquals(pass == Pass.BACKWARD, c.has("dx"), c::toString);
        boolean written = c.has("dweight") && !c.layout("dweight").isEmpty();
        assertTrue(!written || !c.layout("dweight").isShared(), c::toString);
      }
    }
  }

  @Test
  void aThousandCasesOfAnySeedReachTheMinima() {
    for (Pass pass : Pass.values()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(ProjectionCases.OPERATION, pass, limits);
          for (int i = 0; i < 1000; i++) {
            coverage.add(CaseGenerator.generate(pass, seed, i, limits), 64, 256);
          }
          assertEquals(List.of(), coverage.belowMinimum(), pass + " of seed " + seed);
        }
      }
    }
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage(ProjectionCases.OPERATION, Pass.FORWARD, Limits.CPU);
    ProjectionCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
