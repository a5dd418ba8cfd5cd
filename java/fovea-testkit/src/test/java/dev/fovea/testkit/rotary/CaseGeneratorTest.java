package dev.fovea.testkit.rotary;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.rotary.RotaryCase.Content;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 30; i++) {
      RotaryCase a = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      RotaryCase b = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      for (String operand : List.of("dout", "cosines", "sines", "positions")) {
        assertArrayEquals(Operands.of(a).get(operand), Operands.of(b).get(operand));
      }
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(Pass.BACKWARD, 8, i, Limits.CPU).dataSeed());
      assertEquals("--op rotary --pass backward --seed 7 --case " + i, a.repeat());
    }
  }

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

  @Test
  void aThousandCasesOfAnySeedReachTheMinima() {
    for (Pass pass : Pass.values()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(RotaryCases.OPERATION, pass, limits);
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
    Coverage coverage = new Coverage(RotaryCases.OPERATION, Pass.FORWARD, Limits.CPU);
    RotaryCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
