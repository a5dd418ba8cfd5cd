package dev.fovea.testkit.projection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

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
}
