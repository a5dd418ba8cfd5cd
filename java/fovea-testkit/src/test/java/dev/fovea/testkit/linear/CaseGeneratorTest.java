package dev.fovea.testkit.linear;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

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
}
