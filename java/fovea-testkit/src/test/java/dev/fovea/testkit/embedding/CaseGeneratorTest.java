package dev.fovea.testkit.embedding;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.embedding.EmbeddingCase.Content;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @Test
  void everyCaseIsLegal() {
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 2000; i++) {
        EmbeddingCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
        EmbeddingSizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.length() >= 0 && s.vocabulary() >= 1, c::toString);
        assertTrue(s.width() >= 1 && s.width() <= CaseGenerator.WIDEST, c::toString);
        assertTrue(c.padding() < s.vocabulary(), c::toString);
        assertTrue(!c.has("position_ids") || c.has("positions"), c::toString);
        boolean byRow = c.has("positions") && !c.has("position_ids");
        assertTrue(!byRow || s.positionCount() >= s.length(), c::toString);
        assertTrue(!c.has("dpositions") || c.has("positions"), c::toString);
        assertEquals(pass == Pass.BACKWARD, c.has("dout"), c::toString);
        for (String written : List.of("out", "dtable", "dpositions")) {
          Layout layout = c.layout(written);
          assertTrue(layout == null || layout.isEmpty() || !layout.isShared(), c::toString);
        }
      }
    }
  }

  private static int numbers(float[] values, int at, int count) {
    int numbers = 0;
    for (int i = at; i < at + count; i++) {
      numbers += Float.isNaN(values[i]) ? 0 : 1;
    }
    return numbers;
  }

  /** Rows are numbers exactly where a token is at them, and every id is a row. */
  @Test
  void whatNobodyMayReadIsNaN() {
    int spare = 0;
    for (int i = 0; i < 300; i++) {
      EmbeddingCase c = CaseGenerator.generate(Pass.FORWARD, 4, i, Limits.SIM);
      EmbeddingSizes s = c.sizes();
      if (c.content() == Content.NAN || c.layout("table").isShared()) {
        continue;
      }
      Operands data = Operands.of(c);
      boolean[] used = new boolean[s.vocabulary()];
      boolean[] at = new boolean[s.positionCount()];
      for (int b = 0; b < s.batch(); b++) {
        for (int row = 0; row < s.length(); row++) {
          used[data.id(c, b, row)] = true;
          if (c.has("positions")) {
            at[data.position(c, b, row)] = true;
          }
        }
      }
      for (int v = 0; v < s.vocabulary(); v++) {
        int numbers = numbers(data.get("table"), c.rowAt("table", v), s.width());
        assertEquals(used[v] ? s.width() : 0, numbers, c::toString);
        spare += used[v] ? 0 : 1;
      }
      for (int t = 0; c.has("positions") && t < s.positionCount(); t++) {
        int numbers = numbers(data.get("positions"), c.rowAt("positions", t), s.width());
        assertEquals(at[t] ? s.width() : 0, numbers, c::toString);
      }
    }
    assertTrue(spare > 1000, spare + " rows that nobody may read");
    for (int i = 0; i < 50; i++) {
      EmbeddingCase c = CaseGenerator.generate(Pass.BACKWARD, 5, i, Limits.SIM);
      float[] table = Operands.of(c).get("table");
      assertEquals(0, numbers(table, 0, table.length), c::toString);
    }
  }
}
