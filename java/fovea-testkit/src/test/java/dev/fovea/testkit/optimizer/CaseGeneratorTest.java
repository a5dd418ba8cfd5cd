package dev.fovea.testkit.optimizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.optimizer.OptimizerCase.Content;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @Test
  void everyCaseIsLegal() {
    for (int i = 0; i < 3000; i++) {
      OptimizerCase c = CaseGenerator.generate(3, i, Limits.CPU);
      assertTrue(c.sizes().count() <= CaseGenerator.widest(Limits.CPU), c::toString);
      assertEquals(c.rule().hasMean(), c.has("mean"), c::toString);
      assertEquals(c.rule().hasSquare(), c.has("square"), c::toString);
      boolean momentum = c.rule() == OptimizerCase.Rule.SGD || c.numbers().beta1() > 0;
      assertTrue(momentum || c.rule().ordinal() > 2, c::toString);
      for (Map.Entry<String, Layout> it : c.layouts().entrySet()) {
        boolean shared = it.getValue().isShared() && !it.getValue().isEmpty();
        assertTrue(!shared || it.getKey().equals("gradient"), c::toString);
      }
    }
  }

  /** What is written holds numbers before, but in gaps, and in one element a NaN is read. */
  @Test
  void operandsAreNumbers() {
    int nans = 0;
    for (int i = 0; i < 300; i++) {
      OptimizerCase c = CaseGenerator.generate(4, i, Limits.SIM);
      Operands data = Operands.of(c);
      for (String name : List.of("gradient", "parameter", "mean", "square")) {
        for (int row = 0; c.has(name) && row < c.sizes().batch(); row++) {
          for (int k = 0; k < c.sizes().count(); k++) {
            float value = data.get(name)[c.at(name, row, k)];
            boolean read = name.equals("gradient") && c.content() == Content.NAN;
            assertTrue(read || !Float.isNaN(value), c::toString);
            assertTrue(value >= 0 || Float.isNaN(value) || !name.equals("square"), c::toString);
            nans += Float.isNaN(value) ? 1 : 0;
          }
        }
      }
    }
    assertTrue(nans > 5, nans + " NaN");
  }
}
