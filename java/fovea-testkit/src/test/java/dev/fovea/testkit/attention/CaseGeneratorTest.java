package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import org.junit.jupiter.api.Test;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @Test
  void theSameNumbersGiveTheSameCase() {
    for (int i = 0; i < 50; i++) {
      AttentionCase a = CaseGenerator.generate(7, i, Limits.CPU);
      AttentionCase b = CaseGenerator.generate(7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      assertEquals(a.layouts(), b.layouts());
      assertArrayEquals(Operands.of(a).query(), Operands.of(b).query());
      assertNotEquals(a.dataSeed(), CaseGenerator.generate(8, i, Limits.CPU).dataSeed());
    }
  }

  /** A backward case draws its forward as a forward case does, and the rest apart from that. */
  @Test
  void backwardCasesAreFunctionsOfTheirNumbersToo() {
    for (int i = 0; i < 20; i++) {
      BackwardCase a = BackwardGenerator.generate(7, i, Limits.CPU);
      BackwardCase b = BackwardGenerator.generate(7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.layouts(), b.layouts());
      assertEquals("--pass backward --seed 7 --case " + i, a.repeat());
      AttentionCase forward = CaseGenerator.draw(7, i, Limits.CPU, 1).build();
      assertEquals(forward.dataSeed(), a.forward().dataSeed());
      assertEquals(forward.options().dtype(), a.forward().options().dtype());
      assertTrue(a.forward().options().lse() && !a.forward().options().weights());
      assertArrayEquals(BackwardOperands.of(a).dout(), BackwardOperands.of(b).dout());
    }
  }

  /** Queries of e4m3 are drawn apart: cases without them do not know that there are any. */
  @Test
  void float8LeavesOtherCasesAlone() {
    int some = 0;
    for (int i = 0; i < 400; i++) {
      AttentionCase c = CaseGenerator.generate(7, i, Limits.SIM_90);
      CaseBuilder before = CaseGenerator.draw(7, i, Limits.SIM_90, 1);
      if (c.options().isFloat8()) {
        some++;
        assertEquals(before.content, c.content());
        assertEquals(before.causal, c.options().causal());
        assertEquals(Positions.NONE, c.options().positions());
      } else {
        assertEquals(before.build().toString(), c.toString());
        assertEquals(before.build().layouts(), c.layouts());
      }
    }
    assertTrue(some > 60 && some < 140, some + " of 400 cases");
  }

  @Test
  void everyCaseIsLegal() {
    for (int i = 0; i < 3000; i++) {
      AttentionCase c = CaseGenerator.generate(3, i, Limits.CPU);
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
    for (Pass pass : Pass.values()) {
      assertCovered(pass, Limits.CPU, 1, 5000);
      assertCovered(pass, Limits.CUDA, 1, 5000);
      for (int seed = 1; seed <= 8; seed++) {
        assertCovered(pass, Limits.SIM, seed, 500);
      }
    }
  }

  private static void assertCovered(Pass pass, Limits limits, long seed, int cases) {
    Coverage coverage = new Coverage(AttentionCases.OPERATION, pass, limits);
    for (int i = 0; i < cases; i++) {
      coverage.add(AttentionCases.OPERATION.generate(pass, seed, i, limits), 64, 64);
    }
    assertTrue(coverage.judged());
    assertEquals(
        java.util.List.of(), coverage.belowMinimum(), pass + ", " + limits + ", seed " + seed);
  }

  @Test
  void limitsAreKept() {
    double most = mostTiles(Pass.FORWARD);
    assertTrue(most > 200 && most <= 600, "the largest case has " + most + " tiles");
    most = mostTiles(Pass.BACKWARD);
    assertTrue(most > 70 && most <= 200, "the largest backward case has " + most + " tiles");
  }

  private static double mostTiles(Pass pass) {
    double most = 0;
    for (int i = 0; i < 3000; i++) {
      AttentionCase c = forward(AttentionCases.OPERATION.generate(pass, 5, i, Limits.SIM));
      Geometry g = c.geometry();
      assertTrue(Math.max(g.headDim(), g.valueHeadDim()) <= 256, c.toString());
      for (int b = 0; b < g.batch(); b++) {
        double rows = Math.ceil(g.lenQ(b) * g.group() / 128.0);
        double tiles = g.batch() * g.keyHeads() * rows * Math.ceil(g.lenK(b) / 64.0);
        most = Math.max(most, tiles * (g.headDim() + g.valueHeadDim()) / 256);
      }
    }
    return most;
  }

  private static AttentionCase forward(CheckedCase c) {
    return c instanceof BackwardCase backward ? backward.forward() : (AttentionCase) c;
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage(AttentionCases.OPERATION, Pass.FORWARD, Limits.CPU);
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
