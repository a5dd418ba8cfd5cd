package dev.fovea.testkit.merge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.merge.MergeCase.Content;
import dev.fovea.testkit.merge.MergeCase.Lses;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @Test
  void everyCaseIsLegal() {
    for (int i = 0; i < 3000; i++) {
      MergeCase c = CaseGenerator.generate(3, i, Limits.CPU);
      MergeSizes s = c.sizes();
      assertTrue(
          s.batch() >= 0 && s.length() >= 0 && s.parts() >= 1 && s.heads() >= 1, c::toString);
      assertTrue(s.width() >= 1 && s.width() <= CaseGenerator.WIDEST, c::toString);
      for (String written : List.of("out", "lse")) {
        Layout layout = c.layout(written);
        assertTrue(layout == null || layout.isEmpty() || !layout.isShared(), c::toString);
      }
    }
  }

  /** Rows of parts are numbers exactly where they add something to a row. */
  @Test
  void whatNobodyMayReadIsNaN() {
    int unread = 0;
    int emptyRows = 0;
    for (int index = 0; index < 300; index++) {
      MergeCase c = CaseGenerator.generate(4, index, Limits.SIM);
      MergeSizes s = c.sizes();
      if (c.content() == Content.NAN || c.layout("outs").isShared()) {
        continue;
      }
      Operands data = Operands.of(c);
      for (int row = 0; row < s.rows(); row++) {
        int h = row % s.heads();
        int i = row / s.heads() % s.length();
        int b = row / s.heads() / s.length();
        double largest = data.largest(c, b, h, i);
        emptyRows += largest == Double.NEGATIVE_INFINITY ? 1 : 0;
        for (int p = 0; p < s.parts(); p++) {
          boolean counts = data.counts(c, largest, p, b, h, i);
          int at = c.outsAt(p, b, i, h);
          for (int e = at; e < at + s.width(); e++) {
            assertEquals(counts, !Float.isNaN(data.get("outs")[e]), c::toString);
          }
          unread += counts ? 0 : 1;
        }
      }
    }
    assertTrue(unread > 10_000, unread + " rows that nobody may read");
    assertTrue(emptyRows > 500, emptyRows + " rows without keys");
  }

  /** What a kernel divides by is far from 1, or one power alone; sinks count and do not. */
  @Test
  void lsesDifferAsTheirKindsSay() {
    int[] unlike = new int[Lses.values().length];
    for (int index = 0; index < 400; index++) {
      MergeCase c = CaseGenerator.generate(6, index, Limits.SIM);
      MergeSizes s = c.sizes();
      if (s.rows() == 0 || s.parts() < 2 || c.empty() || c.layout("lses").isShared()) {
        continue;
      }
      Operands data = Operands.of(c);
      double most = data.lse(c, 0, 0, 0, 0);
      double least = most;
      for (int p = 1; p < s.parts(); p++) {
        most = Math.max(most, data.lse(c, p, 0, 0, 0));
        least = Math.min(least, data.lse(c, p, 0, 0, 0));
      }
      unlike[c.lses().ordinal()]++;
      switch (c.lses()) {
        case EQUAL -> assertEquals(most, least, c::toString);
        case DOMINATED -> assertTrue(most - least > 90, c::toString);
        case FAINT -> assertTrue(most - least >= 79.9 && most - least <= 89.1, c::toString);
        default -> {}
      }
    }
    for (Lses kind : Lses.values()) {
      assertTrue(unlike[kind.ordinal()] > 1, kind + " " + unlike[kind.ordinal()]);
    }
  }
}
