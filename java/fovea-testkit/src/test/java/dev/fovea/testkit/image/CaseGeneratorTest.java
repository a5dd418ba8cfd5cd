package dev.fovea.testkit.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.testkit.Coverage;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Cases are functions of (seed, index), legal, and spread over all features. */
class CaseGeneratorTest {

  private static final Pass BACKWARD = Pass.BACKWARD;

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theSameNumbersGiveTheSameCase(Kind kind) {
    for (int i = 0; i < 30; i++) {
      ImageCase a = CaseGenerator.generate(kind, BACKWARD, 7, i, Limits.CPU);
      ImageCase b = CaseGenerator.generate(kind, BACKWARD, 7, i, Limits.CPU);
      assertEquals(a.toString(), b.toString());
      assertEquals(a.dataSeed(), b.dataSeed());
      assertArrayEquals(Operands.of(a).get("x"), Operands.of(b).get("x"));
      assertNotEquals(
          a.dataSeed(), CaseGenerator.generate(kind, BACKWARD, 8, i, Limits.CPU).dataSeed());
      assertEquals("--op " + kind.table() + " --pass backward --seed 7 --case " + i, a.repeat());
    }
  }

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
        assertEquals(pass == BACKWARD, c.has("dx"), c.toString());
        String bias = kind == Kind.CHANNEL ? "bias1" : "bias";
        assertTrue(!c.has("d" + bias) || c.has(bias), c.toString());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aThousandCasesOfAnySeedReachTheMinima(Kind kind) {
    Operation operation = kind == Kind.CHANNEL ? ChannelCases.OPERATION : SpatialCases.OPERATION;
    for (Pass pass : Pass.values()) {
      for (Limits limits : List.of(Limits.CPU, Limits.SIM)) {
        for (long seed = 1; seed <= 3; seed++) {
          Coverage coverage = new Coverage(operation, pass, limits);
          for (int i = 0; i < 1000; i++) {
            coverage.add(CaseGenerator.generate(kind, pass, seed, i, limits), 1, 256);
          }
          assertEquals(List.of(), coverage.belowMinimum(), pass + " of seed " + seed);
        }
      }
    }
  }

  @Test
  void tooFewFeaturesAreSaid() {
    Coverage coverage = new Coverage(ChannelCases.OPERATION, Pass.FORWARD, Limits.CPU);
    ImageCase c = new CaseBuilder(Kind.CHANNEL).build();
    for (int i = 0; i < 1000; i++) {
      coverage.add(c, 1, 256);
    }
    assertTrue(coverage.belowMinimum().size() > 10);
  }
}
