package dev.fovea.testkit.linear;

import dev.fovea.DType;
import dev.fovea.LinearAttention.FeatureMap;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestDevice;
import java.util.function.Consumer;

/**
 * More query heads to a key head than random cases have: a GPU takes those of one token in parts.
 */
class ManyHeadsConformanceTest {

  private static CaseBuilder builder(int group, int headDim, int valueHeadDim) {
    return new CaseBuilder().heads(group, 1).headDim(headDim, valueHeadDim).lengths(2, 5, 6);
  }

  private static void check(Failed failed, Consumer<CaseBuilder> options) {
    // Parts of 32 heads, and of 8 where rows are wide.
    for (int[] sizes : new int[][] {{40, 6, 5}, {70, 5, 40}, {11, 300, 3}, {11, 3, 300}}) {
      CaseBuilder forward = builder(sizes[0], sizes[1], sizes[2]).states(true, true);
      options.accept(forward);
      failed.check(forward.build());
      CaseBuilder backward = builder(sizes[0], sizes[1], sizes[2]).states(true, false);
      options.accept(backward);
      failed.check(backward.backward(DType.FLOAT32).build());
    }
  }

  @OnEveryDevice
  void headsInParts(TestDevice on) {
    Failed failed = new Failed(PoisonedDevice.of(on.device()), 1);
    check(failed, c -> c.causal(false).features(FeatureMap.RELU, true));
    check(failed, c -> c.rules(DType.FLOAT32, DType.FLOAT32, null));
    check(failed, c -> c.rules(DType.FLOAT32, null, null).features(FeatureMap.ELU_PLUS_ONE, true));
    check(failed, c -> c.rules(null, DType.FLOAT32, DType.FLOAT32));
    failed.orPass();
  }
}
