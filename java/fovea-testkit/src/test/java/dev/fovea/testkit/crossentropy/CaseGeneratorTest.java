package dev.fovea.testkit.crossentropy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.crossentropy.CrossEntropyCase.Content;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @Test
  void everyCaseIsLegal() {
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 2000; i++) {
        CrossEntropyCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
        CrossEntropySizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.length() >= 0 && s.classes() >= 1, c::toString);
        assertTrue(s.classes() <= CaseGenerator.WIDEST, c::toString);
        assertTrue(c.smoothing() >= 0 && c.smoothing() <= 1, c::toString);
        assertEquals(pass == Pass.BACKWARD, c.has("dlogits"), c::toString);
        assertTrue(pass == Pass.FORWARD || c.has("lse"), c::toString);
        for (String written : List.of("out", "dlogits")) {
          Layout layout = c.layout(written);
          assertTrue(layout == null || layout.isEmpty() || !layout.isShared(), c::toString);
        }
      }
    }
  }

  private static boolean allNaN(float[] values, int at, int count) {
    for (int i = at; i < at + count; i++) {
      if (!Float.isNaN(values[i])) {
        return false;
      }
    }
    return true;
  }

  /** Rows that are ignored, and what nobody weighs. */
  @Test
  void whatNobodyMayReadIsNaN() {
    int ignored = 0;
    int spare = 0;
    for (int i = 0; i < 400; i++) {
      CrossEntropyCase c = CaseGenerator.generate(Pass.BACKWARD, 4, i, Limits.SIM);
      CrossEntropySizes s = c.sizes();
      Operands data = Operands.of(c);
      boolean[] targets = new boolean[s.classes()];
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          int target = data.target(c, b, row);
          assertTrue(target < s.classes(), c::toString);
          if (target >= 0) {
            targets[target] = true;
            continue;
          }
          ignored++;
          boolean shared = c.layout("logits").isShared() || c.layout("dout").isShared();
          assertTrue(
              shared || allNaN(data.get("logits"), c.rowAt("logits", b, row), s.classes()),
              c::toString);
          assertTrue(shared || Float.isNaN(data.get("dout")[c.at("dout", b, row)]), c::toString);
          assertTrue(Float.isNaN(data.get("lse")[c.at("lse", b, row)]), c::toString);
        }
      }
      for (int v = 0; c.has("class_weight") && c.smoothing() == 0 && v < s.classes(); v++) {
        assertEquals(targets[v], !Double.isNaN(data.weight(c, v)), c::toString);
        spare += targets[v] ? 0 : 1;
      }
    }
    assertTrue(ignored > 1000, ignored + " rows are ignored");
    assertTrue(spare > 1000, spare + " weights that nobody may read");
  }

  /** Every kind of logits is there in some row that is not ignored. */
  @Test
  void contentsAreThere() {
    int holes = 0;
    for (int i = 0; i < 400; i++) {
      CrossEntropyCase c = CaseGenerator.generate(Pass.FORWARD, 5, i, Limits.SIM);
      if (c.content() == Content.HOLES) {
        for (float logit : Operands.of(c).get("logits")) {
          holes += logit == Float.NEGATIVE_INFINITY ? 1 : 0;
        }
      }
    }
    assertTrue(holes > 1000, holes + " logits of -infinity");
  }
}
