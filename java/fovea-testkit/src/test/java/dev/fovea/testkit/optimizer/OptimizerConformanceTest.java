package dev.fovea.testkit.optimizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.OptimizerStep;
import dev.fovea.OptimizerStepCall;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.optimizer.OptimizerCase.Content;
import dev.fovea.testkit.optimizer.OptimizerCase.Rule;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What holds beyond one case: every width of a row, every place of an operand, bits, many steps.
 */
class OptimizerConformanceTest {

  private static final List<String> MATRICES =
      List.of("gradient", "parameter", "mean", "square", "out");

  private static final List<OptimizerStep> RULES =
      List.of(
          OptimizerStep.sgd(0),
          OptimizerStep.sgd(0.9).weightDecay(0.1),
          OptimizerStep.sgd(0.9).nesterov(),
          OptimizerStep.adamw(0.9, 0.999, 1e-8).weightDecay(0.01),
          OptimizerStep.lion(0.9, 0.99).weightDecay(0.1));

  private static MatrixStyle style(int offset, int gap) {
    return new MatrixStyle(false, offset, gap, 0, false);
  }

  /** Rows as wide as vectors, one more or less, without and with gaps, at either end of memory. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int count = 1; count <= 40; count++) {
      for (DType type : TestDevice.TYPES) {
        for (Rule rule : Rule.values()) {
          seed++;
          CaseBuilder c =
              new CaseBuilder()
                  .sizes(1 + seed % 3, count)
                  .rule(rule)
                  .dtype(type)
                  .content(Content.NORMAL, seed)
                  .guard(seed % 2 == 0 ? Side.BEGIN : Side.END);
          if (seed % 4 > 0) {
            c.out(TestDevice.TYPES.get(seed % 3));
          }
          int gap = seed % 5 < 2 ? 0 : seed % 9;
          MATRICES.forEach(it -> c.style(it, style(0, gap)));
          failed.check(c.build());
        }
      }
    }
    failed.orPass();
  }

  /** One operand alone begins where no packet does, or has rows that do not. */
  @OnEveryGroup
  void everyPlaceOfAnOperand(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (String moved : MATRICES) {
      for (DType type : TestDevice.TYPES) {
        for (int offset : new int[] {0, 1, 2, 3, 4, 8}) {
          for (int gap : new int[] {0, 1, 2, 4}) {
            CaseBuilder c =
                new CaseBuilder()
                    .sizes(3, 24)
                    .dtype(type)
                    .out(TestDevice.TYPES.get(seed % 3))
                    .content(Content.NORMAL, ++seed)
                    .style(moved, style(offset, gap));
            failed.check(c.build());
          }
        }
      }
    }
    failed.orPass();
  }

  private static float[] normal(int count, long seed) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextNormal();
    }
    return values;
  }

  /** All operands of a step over one row, and their contents afterwards. */
  private static final class Model {
    final Map<String, Tensor> tensors = new HashMap<>();
    final OptimizerStepCall call;
    private final OptimizerStep rule;

    Model(Scope scope, OptimizerStep rule, int rows, int count) {
      this.rule = rule;
      tensors.put("gradient", scope.copyOf(normal(rows * count, 1), rows, count));
      tensors.put("rates", scope.allocate(DType.FLOAT32, OptimizerStep.RATES));
      tensors.put("parameter", scope.copyOf(normal(rows * count, 2), rows, count));
      if (rule.hasMean()) {
        tensors.put("mean", scope.allocate(DType.FLOAT32, rows, count).fill(0));
      }
      if (rule.hasSquare()) {
        tensors.put("square", scope.allocate(DType.FLOAT32, rows, count).fill(0));
      }
      call =
          rule.call(tensors.get("gradient"), tensors.get("rates"), tensors.get("parameter"))
              .mean(tensors.get("mean"))
              .square(tensors.get("square"));
    }

    void step(int number) {
      tensors.get("rates").copyFrom(rule.rates(0.01, number, 0.5));
      call.run();
    }

    float[] of(String name) {
      return tensors.get(name).toFloatArray();
    }
  }

  /** Many steps leave the bits of steps by the formulas, signs of zeros and all. */
  @OnEveryDevice
  void manyStepsAreTheFormulasBitForBit(TestDevice on) {
    int count = on.size(1003, 131);
    for (Rule rule : Rule.values()) {
      OptimizerCase c =
          new CaseBuilder().sizes(1, count).rule(rule).content(Content.ZEROS, 7).build();
      Operands data = Operands.of(c);
      try (Scope scope = Scope.open(on.device())) {
        Map<String, Tensor> tensors = new HashMap<>();
        data.all()
            .forEach(
                (name, values) ->
                    tensors.put(
                        name,
                        name.equals("rates")
                            ? scope.copyOf(values, values.length)
                            : scope.copyOf(values, 1, values.length)));
        OptimizerStepCall call =
            OptimizerBinding.step(c)
                .call(tensors.get("gradient"), tensors.get("rates"), tensors.get("parameter"))
                .mean(tensors.get("mean"))
                .square(tensors.get("square"));
        for (int step = 0; step < 5; step++) {
          Map<String, float[]> next = new HashMap<>(data.all());
          Rounded.run(c, data)
              .forEach(
                  (name, exact) -> {
                    float[] values = new float[count];
                    for (int i = 0; i < count; i++) {
                      values[i] = (float) exact.value(i);
                    }
                    next.put(name, values);
                  });
          call.run();
          data = new Operands(next);
          for (String name : new String[] {"parameter", "mean", "square"}) {
            if (c.has(name)) {
              assertBits(data.get(name), tensors.get(name).toFloatArray(), rule + " " + name);
            }
          }
        }
      }
    }
  }

  private static void assertBits(float[] expected, float[] got, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(
          Integer.toHexString(Float.floatToRawIntBits(expected[i])),
          Integer.toHexString(Float.floatToRawIntBits(got[i])),
          what + " " + i);
    }
  }

  /** A parameter has the same bits alone, in a matrix, and whatever threads share that. */
  @OnEveryDevice
  void bitsOfAParameter(TestDevice on) {
    int rows = on.size(7, 3);
    int count = on.size(40_001, 1501);
    for (OptimizerStep rule : RULES) {
      try (Scope scope = Scope.open(on.device())) {
        Model all = new Model(scope, rule, rows, count);
        Model alone = new Model(scope, rule, rows, count);
        all.call.parallelism(3);
        alone.call.parallelism(1);
        for (int step = 1; step <= 2; step++) {
          all.step(step);
          alone.step(step);
        }
        float[] parameter = all.of("parameter");
        assertArrayEquals(parameter, alone.of("parameter"));
        Model again = new Model(scope, rule, rows, count);
        int from = count / 3;
        int to = from + 77;
        OptimizerStepCall part =
            rule.call(
                again.tensors.get("gradient").slice(1, from, to),
                again.tensors.get("rates"),
                again.tensors.get("parameter").slice(1, from, to));
        part.mean(rule.hasMean() ? again.tensors.get("mean").slice(1, from, to) : null);
        part.square(rule.hasSquare() ? again.tensors.get("square").slice(1, from, to) : null);
        for (int step = 1; step <= 2; step++) {
          again.tensors.get("rates").copyFrom(rule.rates(0.01, step, 0.5));
          part.run();
        }
        float[] before = normal(rows * count, 2);
        float[] stepped = again.of("parameter");
        for (int i = 0; i < stepped.length; i++) {
          boolean inside = i % count >= from && i % count < to;
          assertEquals(inside ? parameter[i] : before[i], stepped[i]);
        }
      }
    }
  }

  /** A NaN, wherever it is, is that of its parameter; others do not know. */
  @OnEveryDevice
  void aNaNStaysWithItsParameter(TestDevice on) {
    for (OptimizerStep rule : RULES) {
      for (String name : List.of("gradient", "parameter", "mean", "square")) {
        try (Scope scope = Scope.open(on.device())) {
          Model right = new Model(scope, rule, 2, 21);
          Model wrong = new Model(scope, rule, 2, 21);
          if (!wrong.tensors.containsKey(name)) {
            continue;
          }
          wrong.tensors.get(name).setFloat(Float.NaN, 1, 18);
          right.step(1);
          wrong.step(1);
          float[] expected = right.of("parameter");
          expected[39] = Float.NaN;
          assertArrayEquals(expected, wrong.of("parameter"), rule + " " + name);
        }
      }
    }
  }

  /** What is large may go past the caches, in whole lines: an out of 32 MiB and more. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void bitsDoNotDependOnTheSize(DType type) {
    int count = (32 << 20) / type.byteSize() + 1000;
    OptimizerStep rule = OptimizerStep.sgd(0).outDType(type);
    try (Scope scope = Scope.open()) {
      Tensor parameter = scope.allocate(DType.FLOAT32, 1, count);
      float[] values = normal(count, 3);
      values[5] = Float.NaN;
      values[count - 3] = Float.POSITIVE_INFINITY;
      parameter.copyFrom(values);
      Tensor gradient = scope.allocate(DType.BFLOAT16, 1, count).fill(0.25f);
      Tensor rates = scope.copyOf(rule.rates(1, 1, 1), OptimizerStep.RATES);
      for (int i = 0; i < count; i++) {
        values[i] -= 0.25f;
      }
      for (int from : new int[] {0, 3}) { // whole lines or not
        Tensor memory = scope.allocate(type, count + 64).fill(7);
        Tensor out = memory.slice(0, from, from + count).unsqueeze(0);
        OptimizerStepCall call = rule.call(gradient, rates, parameter).out(out).parallelism(2);
        call.run();
        assertArrayEquals(values, parameter.toFloatArray());
        assertArrayEquals(parameter.to(scope, type).toFloatArray(), out.toFloatArray());
        assertEquals(7, memory.getFloat(from + count));
        assertTrue(from == 0 || memory.getFloat(from - 1) == 7);
        parameter.copyFrom(normal(count, 3));
        parameter.setFloat(Float.NaN, 0, 5);
        parameter.setFloat(Float.POSITIVE_INFINITY, 0, count - 3);
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    for (OptimizerStep rule : RULES) {
      for (int[] size : new int[][] {{0, 5}, {3, 0}, {0, 0}}) {
        try (Scope scope = Scope.open(on.device())) {
          Model none = new Model(scope, rule, size[0], size[1]);
          none.step(1);
          assertArrayEquals(new long[] {size[0], size[1]}, none.call.forward(scope).shape());
        }
      }
    }
  }
}
