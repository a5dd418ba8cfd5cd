package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.TestGroup;

/**
 * Score modifiers on every device. A CUDA device compiles each pass of each expression and type for
 * seconds, so that random cases have none there: these few stand for them.
 */
class ModifierConformanceTest {

  private static CaseBuilder usual(Modifier modifier, DType type) {
    return new CaseBuilder()
        .dtype(type)
        .heads(4, 2)
        .headDim(24)
        .lengths(2, 70, 150)
        .modifier(modifier);
  }

  private static void check(TestGroup on, Modifier modifier, DType type) {
    Failed failed = new Failed(on.present(), on.oneIn());
    failed.check(usual(modifier, type).build());
    failed.check(usual(modifier, type).causal().build());
    failed.check(new BackwardBuilder(usual(modifier, type)).build());
    failed.check(
        new BackwardBuilder(
                usual(modifier, type).causal().ragged(new int[] {70, 9}, new int[] {150, 33}))
            .build());
    failed.orPass();
  }

  @OnEveryGroup
  void lookUps(TestGroup on) {
    check(on, Modifier.BUCKETS, DType.FLOAT16);
  }

  @OnEveryGroup
  void functions(TestGroup on) {
    check(on, Modifier.FUNCTIONS, DType.FLOAT32);
  }

  @OnEveryGroup
  void choices(TestGroup on) {
    check(on, Modifier.CHOICES, DType.BFLOAT16);
  }
}
