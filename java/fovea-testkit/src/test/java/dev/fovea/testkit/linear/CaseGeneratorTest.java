package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  @ParameterizedTest
  @EnumSource(Pass.class)
  void theSameNumbersGiveTheSameCase(Pass pass) {
    for (int i = 0; i < 40; i++) {
      LinearCase a = CaseGenerator.generate(pass, 7, i, Limits.CPU);
      LinearCase b = CaseGenerator.generate(pass, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      assertEquals(a.layouts(), b.layouts());
      assertArrayEquals(Operands.of(a).get("query"), Operands.of(b).get("query"));
      assertNotEquals(a.dataSeed(), CaseGenerator.generate(pass, 8, i, Limits.CPU).dataSeed());
      String which = pass == Pass.BACKWARD ? " --pass backward" : "";
      assertEquals("--op linear" + which + " --seed 7 --case " + i, a.repeat());
    }
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void everyCaseIsLegal(Pass pass) {
    for (int i = 0; i < 3000; i++) {
      LinearCase c = CaseGenerator.generate(pass, 3, i, Limits.CPU);
      Geometry g = c.geometry();
      assertEquals(0, g.queryHeads() % g.keyHeads(), c.toString());
      assertTrue(g.headDim() >= 1 && g.valueHeadDim() >= 1, c.toString());
      for (int b = 0; b < g.batch(); b++) {
        assertTrue(g.lenQ(b) >= 0 && g.lenQ(b) <= g.queryLength(), c.toString());
        assertTrue(g.lenK(b) >= 0 && g.lenK(b) <= g.roomK(b), c.toString());
        assertTrue(g.roomK(b) <= g.keyLength(), c.toString());
      }
      boolean ordered = c.has("decay") || c.has("key_decay") || c.has("beta");
      assertTrue(c.options().causal() || !ordered, c.toString());
      assertTrue(!c.has("beta") || !c.options().normalised(), c.toString());
      assertEquals(pass == Pass.BACKWARD, c.has("dquery"), c.toString());
      assertTrue(!c.has("dbeta") || c.has("beta"), c.toString());
    }
  }

  @ParameterizedTest
  @EnumSource(Pass.class)
  void aThousandCasesOfAnySeedReachTheMinima(Pass pass) {
    for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
      for (long seed = 1; seed <= 3; seed++) {
        Coverage coverage = new Coverage(LinearCases.OPERATION, pass, limits);
        for (int i = 0; i < 1000; i++) {
          coverage.add(CaseGenerator.generate(pass, seed, i, limits), 64, 64);
        }
        assertEquals(List.of(), coverage.belowMinimum(), pass + " of seed " + seed);
      }
    }
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage(LinearCases.OPERATION, Pass.FORWARD, Limits.CPU);
    LinearCase c = new CaseBuilder().build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 64, 64);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
