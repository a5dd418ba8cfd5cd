package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.pairs.PairCase.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @ParameterizedTest
  @EnumSource(Pass.class)
  void everyCaseIsLegal(Pass pass) {
    for (int i = 0; i < 6000; i++) {
      Kind kind = Kind.values()[i % 2];
      PairCase c = CaseGenerator.generate(kind, pass, 3, i, Limits.CPU);
      Geometry g = c.geometry();
      assertEquals(0, g.queryHeads() % g.keyHeads(), c.toString());
      assertTrue(g.headDim() >= 1 && g.valueHeadDim() >= 1, c.toString());
      for (int b = 0; b < g.batch(); b++) {
        assertTrue(g.lenQ(b) >= 0 && g.lenQ(b) <= g.queryLength(), c.toString());
        assertTrue(g.lenK(b) >= 0 && g.lenK(b) <= g.roomK(b), c.toString());
        assertTrue(g.roomK(b) <= g.keyLength(), c.toString());
      }
      assertEquals(pass == Pass.BACKWARD, c.has("dquery"), c.toString());
      assertTrue(!c.hasAny("dbias") || c.hasAny("bias"), c.toString());
    }
  }
}
