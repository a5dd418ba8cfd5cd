package dev.fovea.testkit.activation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation.Function;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  private static final List<String> GRADIENTS = List.of("dx", "dbias", "dgate", "dresidual");

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
}
