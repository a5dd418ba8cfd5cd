package dev.fovea.testkit.activation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation.Function;
import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  private static final List<String> GRADIENTS = List.of("dx", "dbias", "dgate", "dresidual");

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 30; i++) {
      ActivationCase a = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      ActivationCase b = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      for (String operand : List.of("x", "bias", "gate", "residual", "dout", "dbias")) {
        assertArrayEquals(Operands.of(a).get(operand), Operands.of(b).get(operand));
      }
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(Pass.BACKWARD, 8, i, Limits.CPU).dataSeed());
      assertEquals("--op activation --pass backward --seed 7 --case " + i, a.repeat());
    }
  }

  @Test
  void everyCaseIsLegal() {
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 3000; i++) {
        ActivationCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
        ActivationSizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.length() >= 0 && s.width() >= 1, c::toString);
        assertTrue(s.width() <= CaseGenerator.WIDEST, c::toString);
        assertEquals(pass == Pass.FORWARD, c.has("out"), c::toString);
        assertEquals(pass == Pass.BACKWARD, GRADIENTS.stream().anyMatch(c::has), c::toString);
        for (String gradient : GRADIENTS) {
          assertTrue(!c.has(gradient) || c.has(gradient.substring(1)), c::toString);
        }
        for (String written : List.of("out", "dx", "dgate", "dresidual")) {
          Layout layout = c.layout(written);
          assertTrue(layout == null || layout.isEmpty() || !layout.isShared(), c::toString);
        }
      }
    }
  }

  private static boolean allNaN(float[] values) {
    for (float value : values) {
      if (!Float.isNaN(value)) {
        return false;
      }
    }
    return true;
  }

  /** Operands that a pass has no use for are no numbers. */
  @Test
  void whatNobodyMayReadIsNaN() {
    int unread = 0;
    for (int i = 0; i < 500; i++) {
      ActivationCase c = CaseGenerator.generate(Pass.BACKWARD, 4, i, Limits.SIM);
      Operands data = Operands.of(c);
      boolean slope = c.has("dx") || c.has("dbias");
      boolean z = c.has("dgate") || slope && c.function() != Function.IDENTITY;
      if (c.has("residual")) {
        assertTrue(allNaN(data.get("residual")), c::toString);
      }
      if (!z) {
        unread++;
        assertTrue(allNaN(data.get("x")), c::toString);
        assertTrue(!c.has("bias") || allNaN(data.get("bias")), c::toString);
      }
      if (!slope && c.has("gate")) {
        unread++;
        assertTrue(allNaN(data.get("gate")), c::toString);
      }
      if (c.sizes().elements() > 8) {
        assertTrue(!allNaN(data.get("dout")), c::toString);
        assertEquals(z, !allNaN(data.get("x")), c::toString);
      }
    }
    assertTrue(unread > 50, unread + " operands that nobody may read");
  }

  @Test
  void aThousandCasesOfAnySeedReachTheMinima() {
    for (Pass pass : Pass.values()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(ActivationCases.OPERATION, pass, limits);
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
    Coverage coverage = new Coverage(ActivationCases.OPERATION, Pass.FORWARD, Limits.CPU);
    ActivationCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
