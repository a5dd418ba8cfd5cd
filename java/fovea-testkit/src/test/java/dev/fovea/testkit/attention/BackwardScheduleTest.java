package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * A backward pass under a hundred schedules of its blocks and threads. The simulator draws another
 * one for every dropout seed, which means nothing else where nothing is dropped.
 */
class BackwardScheduleTest {

  private static final int SCHEDULES = 100;

  /** Ten tiles of keys add to every row of dquery. */
  private static BackwardCase build(boolean deterministic) {
    CaseBuilder forward =
        new CaseBuilder().dtype(DType.BFLOAT16).lengths(1, 20, 640).heads(2, 1).headDim(24);
    // Of float32, which tells sums of another order; most of these round to the same bfloat16.
    BackwardBuilder backward = new BackwardBuilder(forward.causal()).dtype(DType.FLOAT32);
    return (deterministic ? backward.deterministic() : backward).build();
  }

  private static Set<Integer> differentBits(BackwardCase c) {
    Device device = Device.byName("sim:sm_80");
    BackwardOperands data = BackwardOperands.of(c);
    BackwardOracle.Gradients expected = BackwardOracle.run(c, data, Precision.of(device.name()));
    Set<Integer> bits = new HashSet<>();
    try (BackwardRun run = new BackwardRun(c, data, device)) {
      byte[] first = run.run().outputBytes();
      for (int schedule = 0; schedule < SCHEDULES; schedule++) {
        run.call().dropoutSeed(schedule, 0);
        assertNull(run.run().compare(expected), "schedule " + schedule);
        byte[] bytes = run.outputBytes();
        bits.add(Arrays.hashCode(bytes));
        if (c.deterministic()) {
          assertArrayEquals(first, bytes, "schedule " + schedule);
        }
      }
    }
    return bits;
  }

  @Test
  void deterministicGradientsHaveTheSameBits() {
    assertTrue(differentBits(build(true)).size() == 1);
  }

  /** Which shows that the schedules differ; every one of them is right. */
  @Test
  void theOthersHaveNot() {
    assertTrue(differentBits(build(false)).size() > 1);
  }
}
