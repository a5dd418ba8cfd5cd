package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 50; i++) {
      AttentionCase a = CaseGenerator.generate(7, i);
      AttentionCase b = CaseGenerator.generate(7, i);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      assertEquals(a.layouts(), b.layouts());
      assertArrayEquals(Operands.of(a).query(), Operands.of(b).query());
      assertNotEquals(a.dataSeed(), CaseGenerator.generate(8, i).dataSeed());
    }
  }

  @Test
  void everyCaseIsLegal() {
    for (int i = 0; i < 3000; i++) {
      AttentionCase c = CaseGenerator.generate(3, i);
      Geometry g = c.geometry();
      assertEquals(0, g.queryHeads() % g.keyHeads(), c.toString());
      for (int b = 0; b < g.batch(); b++) {
        assertTrue(g.lenQ(b) >= 0 && g.lenQ(b) <= g.queryLength(), c.toString());
        assertTrue(g.lenK(b) >= 0 && g.lenK(b) <= g.keyLength(), c.toString());
      }
      for (Layout layout : c.layouts().all()) {
        assertTrue((long) layout.elements() < 40_000_000, c.toString());
      }
    }
  }

  @Test
  void coverageReachesItsMinima() {
    Coverage coverage = new Coverage();
    for (int i = 0; i < 5000; i++) {
      coverage.add(CaseGenerator.generate(1, i), 64, 64);
    }
    assertTrue(coverage.judged());
    assertEquals(java.util.List.of(), coverage.belowMinimum());
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage();
    AttentionCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 64);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }

  /** The table of quantiles gives N(0,1). */
  @Test
  void normalValuesAreNormal() {
    Gaussian random = new Gaussian(1);
    double sum = 0;
    double squares = 0;
    int beyondTwo = 0;
    int n = 200_000;
    for (int i = 0; i < n; i++) {
      double x = random.nextNormal();
      sum += x;
      squares += x * x;
      beyondTwo += Math.abs(x) > 2 ? 1 : 0;
    }
    assertEquals(0, sum / n, 0.01);
    assertEquals(1, squares / n, 0.02);
    assertEquals(0.0455, (double) beyondTwo / n, 0.002);
  }
}
