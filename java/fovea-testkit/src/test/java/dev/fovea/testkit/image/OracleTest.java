package dev.fovea.testkit.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.image.ImageCase.Content;
import dev.fovea.testkit.image.ImageCase.Kind;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The oracles against numbers that were worked out by hand. */
class OracleTest {

  private static final double EXACT = 1e-13;

  private static double sigmoid(double z) {
    return 1 / (1 + Math.exp(-z));
  }

  /** Two channels of 1 by 2 pixels, one hidden unit: means 2 and -1, z1 = 2 + 2 - 1 = 3. */
  private static final Map<String, float[]> CHANNEL =
      Map.of(
          "x", new float[] {1, 3, -2, 0},
          "weight1", new float[] {1, -2},
          "bias1", new float[] {-1},
          "weight2", new float[] {0.5f, -1},
          "bias2", new float[] {0, 2},
          "dout", new float[] {1, 0, 0, 1});

  private static CaseBuilder channel() {
    return new CaseBuilder(Kind.CHANNEL).sizes(1, 2, 1, 2, 1);
  }

  @Test
  void gatesOfChannels() {
    Expected out = ChannelOracle.run(channel().build(), new Operands(CHANNEL)).get("out");
    double[] gates = {sigmoid(1.5), sigmoid(-1)};
    for (int i = 0; i < 4; i++) {
      assertEquals(CHANNEL.get("x")[i] * gates[i / 2], out.value(i), EXACT);
      assertTrue(out.allowed(i) < 1e-5);
    }
  }

  @Test
  void gradientsThroughGatesOfChannels() {
    ImageCase c = channel().backward(DType.FLOAT32).build();
    Map<String, Expected> all = ChannelOracle.run(c, new Operands(CHANNEL));
    double[] gates = {sigmoid(1.5), sigmoid(-1)};
    // s = <dout, x> = 1, 0.
    double dz2 = gates[0] * (1 - gates[0]);
    assertEquals(3 * dz2, all.get("dweight2").value(0), EXACT);
    assertEquals(0, all.get("dweight2").value(1), EXACT);
    assertEquals(dz2, all.get("dbias2").value(0), EXACT);
    double dz1 = 0.5 * dz2;
    assertEquals(2 * dz1, all.get("dweight1").value(0), EXACT);
    assertEquals(-dz1, all.get("dweight1").value(1), EXACT);
    assertEquals(dz1, all.get("dbias1").value(0), EXACT);
    double[] dx = {gates[0] + dz1 / 2, dz1 / 2, -dz1, gates[1] - dz1};
    for (int i = 0; i < 4; i++) {
      assertEquals(dx[i], all.get("dx").value(i), EXACT);
    }
  }

  @Test
  void aHiddenUnitBelowZeroGivesNothingBack() {
    Map<String, float[]> operands = new HashMap<>(CHANNEL);
    operands.put("bias1", new float[] {-5});
    ImageCase c = channel().backward(DType.FLOAT32).build();
    Map<String, Expected> all = ChannelOracle.run(c, new Operands(operands));
    assertEquals(0, all.get("dbias1").value(0));
    assertEquals(0, all.get("dx").value(1));
    assertEquals(sigmoid(0), all.get("dx").value(0), EXACT);
  }

  /** Two channels of 1 by 2 pixels, a kernel of 3: maps 1, 2 and 3, 4. */
  private static final Map<String, float[]> SPATIAL =
      Map.of(
          "x", new float[] {3, 0, -1, 4},
          "weight", new float[] {9, 9, 9, 0.5f, -1, 2, 9, 9, 9, 9, 9, 9, 1, 0.25f, -0.5f, 9, 9, 9},
          "bias", new float[] {0.5f},
          "dout", new float[] {1, 0, 0, 0});

  private static CaseBuilder spatial() {
    return new CaseBuilder(Kind.SPATIAL).sizes(1, 2, 1, 2, 3);
  }

  // z_0 = .5 - 1 + 2 2 + .25 3 - .5 4, z_1 = .5 + .5 1 - 2 + 3 + .25 4
  private static final double[] Z = {2.25, 3};

  @Test
  void gatesOfPositions() {
    Expected out = SpatialOracle.run(spatial().build(), new Operands(SPATIAL)).get("out");
    for (int i = 0; i < 4; i++) {
      assertEquals(SPATIAL.get("x")[i] * sigmoid(Z[i % 2]), out.value(i), EXACT);
      assertTrue(out.allowed(i) < 1e-5);
    }
  }

  @Test
  void gradientsThroughGatesOfPositions() {
    ImageCase c = spatial().backward(DType.FLOAT32).build();
    Map<String, Expected> all = SpatialOracle.run(c, new Operands(SPATIAL));
    double gate = sigmoid(Z[0]);
    double dz = 3 * gate * (1 - gate); // of pixel 0 alone
    assertEquals(dz, all.get("dbias").value(0), EXACT);
    double[] dweight = {0, 1, 2, 0, 3, 4}; // of the middle rows
    for (int k = 0; k < 6; k++) {
      assertEquals(dz * dweight[k], all.get("dweight").value(k / 3 * 9 + 3 + k % 3), EXACT);
      assertEquals(0, all.get("dweight").value(k / 3 * 9 + k % 3), EXACT); // rows outside
    }
    // dmap0 = -dz, 2 dz; dmap1 = dz / 4, -dz / 2; the maxima are channels 0 and 1.
    double[] dx = {gate - dz / 2 + dz / 4, dz, -dz / 2, dz - dz / 2};
    for (int i = 0; i < 4; i++) {
      assertEquals(dx[i], all.get("dx").value(i), EXACT);
    }
  }

  @Test
  void tiesGoToTheLowestChannel() {
    CaseBuilder builder = new CaseBuilder(Kind.SPATIAL).sizes(1, 5, 3, 4, 3);
    ImageCase c = builder.content(Content.CONSTANT, 3).backward(DType.FLOAT32).build();
    Expected dx = SpatialOracle.run(c, Operands.of(c)).get("dx");
    for (int p = 0; p < 12; p++) {
      for (int channel = 1; channel < 4; channel++) {
        assertEquals(dx.value(12 + p), dx.value(12 * channel + p));
      }
      assertTrue(dx.value(p) != dx.value(12 + p));
    }
  }
}
