package dev.fovea.testkit.norm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 30; i++) {
      NormCase a = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      NormCase b = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      for (String operand : List.of("x", "weight", "dout", "dx", "dweight")) {
        assertArrayEquals(Operands.of(a).get(operand), Operands.of(b).get(operand));
      }
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(Pass.BACKWARD, 8, i, Limits.CPU).dataSeed());
      assertEquals("--op norm --pass backward --seed 7 --case " + i, a.repeat());
    }
  }

  @Test
  void everyCaseIsLegal() {
    for (Pass pass : Pass.values()) {
      boolean backward = pass == Pass.BACKWARD;
      for (int i = 0; i < 3000; i++) {
        NormCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
        NormSizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.length() >= 0 && s.heads() >= 1, c::toString);
        assertTrue(s.width() >= 1 && s.width() <= CaseGenerator.WIDEST, c::toString);
        assertTrue(c.epsilon() >= 0, c::toString);
        assertTrue(c.centered() || !c.has("mean"), c::toString);
        assertEquals(backward, c.has("dx"), c::toString);
        assertTrue(!c.has("dweight") || c.has("weight"), c::toString);
        assertTrue(!c.has("dbias") || c.has("bias"), c::toString);
        for (String name : List.of("out", "mean", "inverse", "dx", "dweight", "dbias")) {
          Layout written = c.has(name) ? c.layout(name) : null;
          assertTrue(written == null || written.isEmpty() || !written.isShared(), c::toString);
        }
      }
    }
  }

  /** Bias in a backward pass, and what gradients hold before unless they are added to. */
  @Test
  void whatNobodyMayReadIsNaN() {
    int biases = 0;
    for (int i = 0; i < 200; i++) {
      NormCase c = CaseGenerator.generate(Pass.BACKWARD, 4, i, Limits.SIM);
      Operands data = Operands.of(c);
      for (float element : c.has("bias") ? data.get("bias") : new float[0]) {
        assertTrue(Float.isNaN(element), c::toString);
        biases++;
      }
      assertEquals(c.accumulatesDx(), data.get("dx") != null, c::toString);
      assertEquals(
          c.has("dweight") && c.gradients().accumulate(), data.get("dweight") != null, c::toString);
    }
    assertTrue(biases > 1000, biases + " elements");
  }

  @Test
  void aThousandCasesOfAnySeedReachTheMinima() {
    for (Pass pass : Pass.values()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(NormCases.OPERATION, pass, limits);
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
    Coverage coverage = new Coverage(NormCases.OPERATION, Pass.FORWARD, Limits.CPU);
    NormCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
