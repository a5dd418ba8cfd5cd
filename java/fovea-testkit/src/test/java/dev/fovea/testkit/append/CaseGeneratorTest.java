package dev.fovea.testkit.append;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 30; i++) {
      AppendCase a = CaseGenerator.generate(7, i, Limits.CPU);
      AppendCase b = CaseGenerator.generate(7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      Operands other = Operands.of(b);
      Operands.of(a)
          .all()
          .forEach((name, values) -> assertArrayEquals(values, other.get(name), name));
      assertNotEquals(a.dataSeed(), CaseGenerator.generate(8, i, Limits.CPU).dataSeed());
      assertEquals("--op append --seed 7 --case " + i, a.repeat());
    }
  }

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

  @Test
  void aThousandCasesOfAnySeedReachTheMinima() {
    for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
      for (long seed = 1; seed <= 3; seed++) {
        Coverage coverage = new Coverage(AppendCases.OPERATION, Pass.FORWARD, limits);
        for (int i = 0; i < 1000; i++) {
          coverage.add(CaseGenerator.generate(seed, i, limits), 64, 256);
        }
        assertEquals(List.of(), coverage.belowMinimum(), "seed " + seed);
      }
    }
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage(AppendCases.OPERATION, Pass.FORWARD, Limits.CPU);
    AppendCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
