package dev.fovea.testkit.append;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @Test
  void everyCaseIsLegal() {
    for (int i = 0; i < 3000; i++) {
      AppendCase c = CaseGenerator.generate(3, i, i % 2 == 0 ? Limits.CPU : Limits.SIM);
      AppendSizes s = c.sizes();
      Set<Integer> pages = new HashSet<>();
      for (int b = 0; b < s.batch(); b++) {
        int end = s.starts()[b] + s.rows()[b];
        assertTrue(end <= s.cacheLength() && s.rows()[b] <= s.length(), c::toString);
        int last = -1;
        for (int row = s.starts()[b]; s.paged() && row < end; row++) {
          int page = s.block(b, row);
          assertTrue(page >= 0 && page < s.pageCount(), c::toString);
          assertTrue(page == last || pages.add(page), c::toString);
          last = page;
        }
      }
      for (Map.Entry<String, Layout> it : c.layouts().entrySet()) {
        boolean shared = it.getValue().isShared() && !it.getValue().isEmpty();
        assertTrue(!shared || !c.table().operand(it.getKey()).written(), c::toString);
      }
    }
  }

  /** Rows that have a scale with new ones are there before, and no other. */
  @Test
  void onlySharedScalesHaveRowsBefore() {
    int some = 0;
    for (int i = 0; i < 500; i++) {
      AppendCase c = CaseGenerator.generate(4, i, Limits.SIM);
      Operands data = Operands.of(c);
      for (String of : List.of("key", "value")) {
        assertEquals(c.sharesScale(of), data.get(of + "_cache") != null, c::toString);
        float[] scales = data.get(of + "_scales");
        for (int k = 0; scales != null && k < scales.length; k++) {
          some += scales[k] > 0 ? 1 : 0;
        }
      }
    }
    assertTrue(some > 100, some + " scales");
  }
}
