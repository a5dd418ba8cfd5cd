package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.EmulatedBackward.Bug;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The bounds of gradients hold for an emulation of right kernels, and not for one with bugs. */
class BackwardBoundsTest {

  private static final Limits SMALL = new Limits(256, 256, 12, 256, true, 0, Limits.SIM.minima());
  private static final int CASES = 100;
  private static final double MOST_PRODUCTS = 2e6;

  /** What computes: the dtype of its operands and what it rounds. */
  enum Kernel {
    CPU_FLOAT32(DType.FLOAT32, Precision.CPU, 0.05),
    CPU_FLOAT16(DType.FLOAT16, Precision.CPU, 0.05),
    CPU_BFLOAT16(DType.BFLOAT16, Precision.CPU, 0.05),
    TENSOR_FLOAT32(DType.FLOAT32, Precision.TENSOR_CORE, 0.05),
    TENSOR_FLOAT16(DType.FLOAT16, Precision.TENSOR_CORE, 0.5),
    TENSOR_BFLOAT16(DType.BFLOAT16, Precision.TENSOR_CORE, 0.5);

    private final DType type;
    private final Precision precision;
    private final double near; // share of the bound that a right kernel uses

    Kernel(DType type, Precision precision, double near) {
      this.type = type;
      this.precision = precision;
      this.near = near;
    }

    /** A right kernel passes, and one with the bug does not. */
    private void tells(CaseBuilder forward, Bug... bugs) {
      tells(new BackwardBuilder(forward.dtype(type).allowTf32()), bugs);
    }

    private void tells(BackwardBuilder builder, Bug... bugs) {
      BackwardCase c = builder.build();
      BackwardOperands data = BackwardOperands.of(c);
      Gradients expected = BackwardOracle.run(c, data, precision);
      assertNull(EmulatedBackward.verdict(c, data, precision, Bug.NONE, expected), toString());
      for (Bug bug : bugs) {
        assertNotNull(
            EmulatedBackward.verdict(c, data, precision, bug, expected),
            bug + " on " + this + " is not seen");
      }
    }
  }

  private static CaseBuilder usual() {
    return new CaseBuilder().lengths(2, 70, 90).heads(4, 2).headDim(32, 24).causal();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void rightKernelsPassRandomCases(boolean tensorCores) {
    Precision precision = tensorCores ? Precision.TENSOR_CORE : Precision.CPU;
    List<String> wrong = new ArrayList<>();
    int checked = 0;
    for (int i = 0; checked < CASES; i++) {
      BackwardCase c = BackwardGenerator.generate(5, i, SMALL);
      Geometry g = c.forward().geometry();
      double pairs = (double) c.forward().visiblePairs() * g.queryHeads();
      if (pairs * (g.headDim() + g.valueHeadDim()) > MOST_PRODUCTS) {
        continue;
      }
      checked++;
      BackwardOperands data = BackwardOperands.of(c);
      Gradients expected = BackwardOracle.run(c, data, precision);
      String verdict = EmulatedBackward.verdict(c, data, precision, Bug.NONE, expected);
      if (verdict != null) {
        wrong.add(i + ": " + verdict + "\n    " + c);
      }
    }
    assertEquals("", String.join("\n", wrong));
  }

  /** An outlier keeps the partial sums of a product large, and so what each of its steps rounds. */
  @Test
  void rightKernelsPassLongProductsOfOutliers() {
    int width = 512;
    CaseBuilder forward = new CaseBuilder().lengths(1, 1, 100).heads(8, 8).headDim(width);
    BackwardCase c = new BackwardBuilder(forward.content(Content.OUTLIERS, 1)).build();
    BackwardOperands drawn = BackwardOperands.of(c);
    Operands operands = drawn.forward();
    for (int at = 0; at < operands.query().length; at += width) {
      operands.query()[at] = 40;
    }
    for (int at = 0; at < operands.key().length; at += width) {
      operands.key()[at] = 7;
    }
    BackwardOperands data = BackwardOperands.of(c.forward(), operands, drawn.dout(), null, null);
    Gradients expected = BackwardOracle.run(c, data, Precision.CPU);
    assertNull(EmulatedBackward.verdict(c, data, Precision.CPU, Bug.NONE, expected));
  }

  /** Of what is allowed, right kernels use a good part: a bound that nothing comes near is none. */
  @ParameterizedTest
  @EnumSource
  void theBoundsAreNear(Kernel kernel) {
    BackwardCase c = new BackwardBuilder(usual().dtype(kernel.type)).dtype(DType.FLOAT32).build();
    BackwardOperands data = BackwardOperands.of(c);
    Gradients expected = BackwardOracle.run(c, data, kernel.precision);
    List<MemorySegment> memory =
        EmulatedBackward.run(c, data, kernel.precision, Bug.NONE, expected);
    for (int n = 0; n < 3; n++) { // dquery, dkey, dvalue
      double largest = Comparison.worstRatio(memory.get(n), expected.all().get(n));
      assertTrue(largest > kernel.near, "the largest error is " + largest + " of what is allowed");
    }
  }

  @ParameterizedTest
  @EnumSource
  void wrongFormulasFail(Kernel kernel) {
    kernel.tells(usual(), Bug.LOST_DELTA, Bug.LOST_SCALE);
    kernel.tells(usual().softcap(2), Bug.LOST_SLOPE);
    kernel.tells(usual().alibi(Alibi.PER_HEAD), Bug.SIGN_OF_DISTANCE);
    kernel.tells(usual().sinks(), Bug.SINK_UNWEIGHTED);
    kernel.tells(
        usual().positions(Positions.all()),
        Bug.DISTANCE_OF_NEIGHBOUR,
        Bug.UNBIASED_QUERY,
        Bug.LOST_POSITIONS);
    kernel.tells(usual().dropout(0.1f, 3, 4), Bug.DROPOUT_OF_NEIGHBOUR, Bug.DROPOUT_LOST_IN_SCORES);
  }

  @ParameterizedTest
  @EnumSource
  void wrongPlacesFail(Kernel kernel) {
    kernel.tells(usual(), Bug.KEY_TOO_EARLY, Bug.KEY_TOO_LATE, Bug.TILE_TOO_EARLY, Bug.WRONG_HEAD);
    kernel.tells(usual().window(20, -1).lengths(1, 300, 300), Bug.KEY_TOO_EARLY);
    kernel.tells(usual().lengths(1, 300, 500), Bug.KEY_TOO_LATE);
    kernel.tells(usual().lengths(2, 70, 70), Bug.TRANSPOSED);
  }

  @ParameterizedTest
  @EnumSource
  void wrongSumsFail(Kernel kernel) {
    kernel.tells(usual(), Bug.LAST_OF_GROUP);
    kernel.tells(usual().bias(Bias.HEAD, DType.FLOAT32), Bug.BIAS_NOT_SUMMED);
    BackwardBuilder added =
        new BackwardBuilder(usual().dtype(kernel.type)).accumulate().dtype(DType.BFLOAT16);
    kernel.tells(added, Bug.NOT_ADDED);
  }

  /** Where weights are float32, the gradient's dtype is all that rounds. */
  @ParameterizedTest
  @EnumSource(names = {"CPU_FLOAT16", "CPU_BFLOAT16"})
  void wrongRoundingFails(Kernel kernel) {
    kernel.tells(usual(), Bug.ROUNDED_HEADS, Bug.CUT);
  }

  @Test
  void theCpuIsNotLetOff() {
    for (Kernel kernel : new Kernel[] {Kernel.TENSOR_FLOAT16, Kernel.TENSOR_BFLOAT16}) {
      CaseBuilder forward = usual().dtype(kernel.type);
      BackwardCase c = new BackwardBuilder(forward).dtype(DType.FLOAT32).build();
      BackwardOperands data = BackwardOperands.of(c);
      Gradients expected = BackwardOracle.run(c, data, Precision.CPU);
      assertNotNull(EmulatedBackward.verdict(c, data, kernel.precision, Bug.NONE, expected));
    }
  }
}
