package dev.fovea.testkit.pairs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.pairs.EmulatedKernel.Bug;
import dev.fovea.testkit.pairs.PairCase.Content;
import dev.fovea.testkit.pairs.PairCase.Kind;
import java.util.Map;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The bounds let a plain float32 kernel pass, and tell it from those with the usual bugs. */
class BoundsTest {

  private static final int CASES = 60;

  private static CaseBuilder usual(Kind kind, DType type) {
    return new CaseBuilder(kind)
        .dtype(type)
        .lengths(2, 40, 70)
        .heads(4, 2)
        .headDim(24, 16)
        .causal()
        .dropout(0.1f, 5, 6);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aRightKernelPasses(Kind kind) {
    for (int i = 0; i < 2 * CASES; i++) {
      Pass pass = Pass.values()[i % 2];
      PairCase c = CaseGenerator.generate(kind, pass, 31, i, Limits.SIM);
      if (c.options().ridge() != null) {
        continue; // a plane is float64: there is no plain kernel of its own
      }
      assertNull(EmulatedKernel.verdict(c, Bug.NONE), c::toString);
    }
  }

  /** A right kernel passes, and one with such a bug does not. */
  private static void tells(PairCase c, Predicate<Bug> bugs) {
    Operands data = Operands.of(c);
    Map<String, Expected> expected = c.expected(data);
    assertNull(EmulatedKernel.verdict(c, data, Bug.NONE, expected));
    for (Bug bug : Bug.values()) {
      if (bugs.test(bug)) {
        assertNotNull(EmulatedKernel.verdict(c, data, bug, expected), bug + " of " + c);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aBugOfTheForwardFails(Kind kind) {
    for (DType type : TestDevice.TYPES) {
      for (Content content : new Content[] {Content.NORMAL, Content.OUTLIERS, Content.HEAVY}) {
        tells(
            usual(kind, type).content(content, 3).build(),
            bug -> bug.showsIn(kind) && bug.compareTo(Bug.SLOPE_SIGN) < 0);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aBugOfTheBackwardFails(Kind kind) {
    for (DType type : TestDevice.TYPES) {
      for (Content content : new Content[] {Content.NORMAL, Content.OUTLIERS, Content.HEAVY}) {
        tells(
            usual(kind, type).content(content, 3).backward(type).build(),
            bug -> bug.showsIn(kind) && bug != Bug.LOST_RESCALE);
      }
    }
  }

  /** A key of many counts little, but is seen in float32. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void oneKeyOfAThousandCounts(Kind kind) {
    CaseBuilder c = new CaseBuilder(kind).lengths(1, 9, 1000).headDim(32, 16);
    assertNull(EmulatedKernel.verdict(c.build(), Bug.NONE));
    assertNotNull(EmulatedKernel.verdict(c.build(), Bug.DROPPED_KEY));
    PairCase backward = c.backward(DType.FLOAT32).build();
    assertNull(EmulatedKernel.verdict(backward, Bug.NONE));
    assertNotNull(EmulatedKernel.verdict(backward, Bug.DROPPED_KEY));
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aWindowOffByOneFails(Kind kind) {
    CaseBuilder c = new CaseBuilder(kind).lengths(1, 60, 60).window(20, -1);
    assertNull(EmulatedKernel.verdict(c.build(), Bug.NONE));
    assertNotNull(EmulatedKernel.verdict(c.build(), Bug.MASK_OFF_BY_ONE));
  }

  /** Queries and keys far from 0, and near each other. */
  @Test
  void cancellationFails() {
    CaseBuilder c = new CaseBuilder(Kind.DISTANCE).lengths(1, 40, 70).content(Content.OFFSET, 3);
    assertNull(EmulatedKernel.verdict(c.build(), Bug.NONE));
    assertNotNull(EmulatedKernel.verdict(c.build(), Bug.EXPANDED_SQUARE));
  }

  /** What float32 allows is some parts in a million of usual data. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void boundsAreNarrow(Kind kind) {
    PairCase c = new CaseBuilder(kind).lengths(1, 64, 128).headDim(32, 16).build();
    Expected out = Oracle.run(c, Operands.of(c)).get("out");
    double allowed = 0;
    for (int i = 0; i < out.elements(); i++) {
      allowed = Math.max(allowed, out.allowed(i));
    }
    assertTrue(allowed > 1e-6 && allowed < 5e-5, "allowed " + allowed);
    assertEquals(64 * 16, out.elements());
  }
}
