package dev.fovea.testkit.norm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

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
}
