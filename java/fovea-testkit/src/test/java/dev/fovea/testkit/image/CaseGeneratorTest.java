package dev.fovea.testkit.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.image.ImageCase.Kind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Cases are legal, and hold what they say; {@code GeneratorTest} has what all operations share. */
class CaseGeneratorTest {

  @ParameterizedTest
  @EnumSource(Kind.class)
  void everyCaseIsLegal(Kind kind) {
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 3000; i++) {
        ImageCase c = CaseGenerator.generate(kind, pass, 3, i, Limits.CPU);
        ImageSizes s = c.sizes();
        assertTrue(s.batch() >= 0 && s.channels() >= 1 && s.pixels() >= 1, c.toString());
        assertTrue(s.inner() >= 1, c.toString());
        assertTrue(kind == Kind.CHANNEL || s.inner() % 2 == 1, c.toString());
        assertEquals(pass == Pass.BACKWARD, c.has("dx"), c.toString());
        String bias = kind == Kind.CHANNEL ? "bias1" : "bias";
        assertTrue(!c.has("d" + bias) || c.has(bias), c.toString());
      }
    }
  }
}
