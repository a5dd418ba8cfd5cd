package dev.fovea.testkit.rotary;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.rotary.RotaryCase.Content;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @Test
  void everyCaseIsLegal() {
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 3000; i++) {
        RotaryCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
        RotarySizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.length() >= 0 && s.heads() >= 1, c::toString);
        assertTrue(s.pairs() >= 1 && 2 * s.pairs() <= s.headDim(), c::toString);
        assertTrue(s.headDim() <= CaseGenerator.WIDEST, c::toString);
        assertTrue(c.has("positions") || s.positionCount() >= s.length(), c::toString);
        assertTrue(s.length() == 0 || s.positionCount() >= 1, c::toString);
        assertEquals(pass == Pass.BACKWARD, c.has("dx"), c::toString);
        Layout written = c.layout(pass == Pass.BACKWARD ? "dx" : "out");
        assertTrue(written.isEmpty() || !written.isShared(), c::toString);
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

  /** Rows of the tables are numbers exactly where a position is, and those are rows of them. */
  @Test
  void whatNobodyMayReadIsNaN() {
    int spare = 0;
    for (int i = 0; i < 300; i++) {
      RotaryCase c = CaseGenerator.generate(Pass.BACKWARD, 4, i, Limits.SIM);
      Operands data = Operands.of(c);
      RotarySizes s = c.sizes();
      assertTrue(allNaN(data.get("x")), c::toString);
      boolean[][] used = new boolean[Math.max(1, s.batch())][s.positionCount()];
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          int position = data.position(c, b, row);
          assertTrue(position >= 0 && position < s.positionCount(), c::toString);
          used[c.layout("cosines").isShared() || c.layout("cosines").size()[0] == 1 ? 0 : b][
                  position] =
              true;
        }
      }
      for (int b = 0; b < Math.min(used.length, c.layout("cosines").size()[0]); b++) {
        for (int t = 0; t < s.positionCount() && !c.layout("cosines").isShared(); t++) {
          boolean number = !Float.isNaN(data.get("cosines")[c.tableAt("cosines", b, t)]);
          assertTrue(
              number == used[b][t] || used[b][t] && c.content() == Content.NAN_IN_TABLE,
              c::toString);
          spare += used[b][t] ? 0 : 1;
        }
      }
    }
    assertTrue(spare > 1000, spare + " rows that nobody may read");
  }
}
