package dev.fovea.testkit.embedding;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.embedding.EmbeddingCase.Content;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 30; i++) {
      EmbeddingCase a = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      EmbeddingCase b = CaseGenerator.generate(Pass.BACKWARD, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      for (String operand : List.of("ids", "position_ids", "dout", "dtable", "dpositions")) {
        assertArrayEquals(Operands.of(a).get(operand), Operands.of(b).get(operand));
      }
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(Pass.BACKWARD, 8, i, Limits.CPU).dataSeed());
      assertEquals("--op embedding --pass backward --seed 7 --case " + i, a.repeat());
    }
  }

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

  @Test
  void aThousandCasesOfAnySeedReachTheMinima() {
    for (Pass pass : Pass.values()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(EmbeddingCases.OPERATION, pass, limits);
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
    Coverage coverage = new Coverage(EmbeddingCases.OPERATION, Pass.FORWARD, Limits.CPU);
    EmbeddingCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
