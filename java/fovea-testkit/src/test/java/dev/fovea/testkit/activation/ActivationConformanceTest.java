package dev.fovea.testkit.activation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Activation;
import dev.fovea.Activation.Function;
import dev.fovea.ActivationCall;
import dev.fovea.DType;
import dev.fovea.Device;
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
import dev.fovea.testkit.activation.ActivationCase.Content;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What holds beyond one case: every width of a row, every float, bits, limits; refusals. */
class ActivationConformanceTest {

  /** Around the widths of vectors, of one to eight of them, and of the spans of dropout. */
  private static final int[] WIDTHS = {
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 127, 128, 129, 257, 2050, 4097
  };

  /** Elements before rows and between them, of which vectors of some types and widths begin. */
  private static final int[] APART = {0, 1, 2, 4, 8};

  private static final String[] ALL = {
    "bias", "gate", "residual", "dx", "dbias", "dgate", "dresidual"
  };

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  private static Function function(int seed) {
    return Function.values()[seed % Function.values().length];
  }

  /** All operands and all gradients, rows that begin where vectors are aligned or not. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int width : WIDTHS) {
      for (DType type : TestDevice.TYPES) {
        for (int apart : APART) {
          seed++;
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .outDType(seed % 4 == 0 ? DType.FLOAT32 : type)
                  .sizes(2, 3, width)
                  .function(function(seed))
                  .with(ALL)
                  .content(Content.NORMAL, seed)
                  .guard(seed % 2 == 0 ? Side.BEGIN : Side.END);
          if (seed % 3 == 0) {
            c.dropout(0.3f, seed, seed);
          }
          MatrixStyle rows = new MatrixStyle(seed % 5 == 0, apart, apart, 0, false);
          List.of("x", "gate", "residual", "out", "dout", "dx", "dgate", "dresidual")
              .forEach(it -> c.style(it, rows));
          failed.check(c.build());
          failed.check(c.backward(seed % 7 == 0 ? DType.BFLOAT16 : type).build());
        }
      }
    }
    failed.orPass();
  }

  /** Each gradient alone of each function, with and without a gate, of one row or of several. */
  @OnEveryGroup
  void everyGradientAlone(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (Function f : Function.values()) {
      for (String gradient : List.of("dx", "dbias", "dgate", "dresidual")) {
        for (String beside : List.of("bias", "gate", "residual")) {
          CaseBuilder c =
              new CaseBuilder()
                  .sizes(1 + seed % 3, 1 + seed % 5, 40)
                  .function(f)
                  .with(gradient, beside)
                  .content(Content.NORMAL, ++seed)
                  .backward(DType.FLOAT32);
          failed.check(c.build());
        }
      }
    }
    failed.orPass();
  }

  /** Every so-manieth float of all there are, and the bounds that Functions has for each. */
  @OnEveryDevice
  void everyFloat(TestDevice on) {
    int count = on.size(1 << 19, 1 << 12);
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      float any = Float.intBitsToFloat(i * (int) ((1L << 32) / count) + i % 251);
      x[i] = Float.isNaN(any) ? i : any;
    }
    try (Scope scope = Scope.open(on.device())) {
      Tensor tensor = scope.allocate(DType.FLOAT32, 1, 1, count).copyFrom(x);
      Tensor ones = scope.allocate(DType.FLOAT32, 1, 1, count).fill(1);
      for (Function f : Function.values()) {
        ActivationCall call = Activation.of(f).call(tensor);
        float[] out = call.forward(scope).toFloatArray();
        float[] dx = call.gradients(ones).backward(scope).toFloatArray();
        for (int i = 0; i < count; i++) {
          Measured z = Measured.exact(x[i]);
          assertWithin(Functions.value(f, z), out[i], f, x[i]);
          assertWithin(Functions.slope(f, z), dx[i], f, x[i]);
        }
      }
    }
  }

  private static void assertWithin(Measured right, float got, Function f, float x) {
    boolean same = Double.compare(right.value(), got) == 0 || right.value() == got;
    if (!same && !(Math.abs(got - right.value()) <= right.error())) {
      throw new AssertionError(f + " of " + x + " is " + got + ", expected " + right);
    }
  }

  /** Limits, and NaN where z is; where x is finite and bias is not, too. */
  @OnEveryDevice
  void limits(TestDevice on) {
    float infinity = Float.POSITIVE_INFINITY;
    float[] x = {-infinity, -Float.MAX_VALUE, Float.MAX_VALUE, infinity, Float.NaN};
    try (Scope scope = Scope.open(on.device())) {
      Tensor tensor = scope.allocate(DType.FLOAT32, 1, 1, 5).copyFrom(x);
      Tensor zeros = scope.allocate(DType.FLOAT32, 1, 1, 5);
      Tensor bias = scope.allocate(DType.FLOAT32, 5).copyFrom(x);
      Tensor ones = scope.allocate(DType.FLOAT32, 1, 1, 5).fill(1);
      for (Function f : Function.values()) {
        for (ActivationCall call :
            List.of(Activation.of(f).call(tensor), Activation.of(f).call(zeros).bias(bias))) {
          float[] out = call.forward(scope).toFloatArray();
          float[] dx = call.gradients(ones).backward(scope).toFloatArray();
          for (int i = 0; i < x.length; i++) {
            assertEquals(Functions.of(f, x[i]) + 0.0, out[i] + 0.0, f + " of " + x[i]);
            assertEquals(Functions.slopeOf(f, x[i]) + 0.0, dx[i] + 0.0, f + "' of " + x[i]);
          }
        }
      }
    }
  }

  /** What is dropped is 0 and has no gradient, whatever it and what it meets are. */
  @OnEveryDevice
  void whatIsDroppedIsNothing(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor nans = scope.allocate(DType.FLOAT32, 2, 3, 100).fill(Float.NaN);
      Tensor dx = scope.allocate(DType.FLOAT32, 2, 3, 100);
      Tensor dgate = scope.allocate(DType.FLOAT32, 2, 3, 100);
      ActivationCall call = Activation.silu().dropout(0.5).call(nans).gate(nans).dropoutSeed(3, 4);
      float[] out = call.forward(scope).toFloatArray();
      call.gradients(nans).dx(dx).dgate(dgate).run();
      int kept = 0;
      for (int i = 0; i < out.length; i++) {
        assertTrue(out[i] == 0 || Float.isNaN(out[i]));
        assertEquals(out[i], dx.toFloatArray()[i] + 0.0f);
        assertEquals(out[i], dgate.toFloatArray()[i] + 0.0f);
        kept += Float.isNaN(out[i]) ? 1 : 0;
      }
      assertTrue(kept > 240 && kept < 360, kept + " kept");
    }
  }

  /** A row has the same bits alone, in a batch, and whatever threads share that. */
  @OnEveryDevice
  void bitsOfARow(TestDevice on) {
    int length = on.size(700, 40);
    try (Scope scope = Scope.open(on.device())) {
      Tensor x = random(scope, 1, 3, length, 100);
      Tensor bias = random(scope, 2, 100);
      for (Function f : Function.values()) {
        ActivationCall all = Activation.of(f).call(x).bias(bias).gate(x).parallelism(3);
        Tensor out = all.forward(scope);
        Tensor dx = all.gradients(x).backward(scope);
        for (int row : new int[] {0, 1, length - 1}) {
          Tensor one = x.slice(0, 1, 2).slice(1, row, row + 1);
          ActivationCall alone = Activation.of(f).call(one).bias(bias).gate(one).parallelism(1);
          assertArrayEquals(
              out.slice(0, 1, 2).slice(1, row, row + 1).toFloatArray(),
              alone.forward(scope).toFloatArray());
          assertArrayEquals(
              dx.slice(0, 1, 2).slice(1, row, row + 1).toFloatArray(),
              alone.gradients(one).backward(scope).toFloatArray());
        }
      }
    }
  }

  /** Sums of columns have the same bits for any number of threads, and in every run. */
  @OnEveryDevice
  void bitsOfSums(TestDevice on) {
    int length = on.size(70_000, 900);
    try (Scope scope = Scope.open(on.device())) {
      Tensor dout = random(scope, 1, 2, length, 9);
      Tensor dbias = scope.allocate(DType.FLOAT32, 9);
      float[] first = null;
      for (int workers : new int[] {1, 2, 3, 7}) {
        Activation.gelu()
            .call(dout)
            .bias(dbias)
            .parallelism(workers)
            .gradients(dout)
            .dbias(scope.allocate(DType.FLOAT32, 9))
            .run();
        Tensor sums = scope.allocate(DType.FLOAT32, 9);
        Activation.identity()
            .call(dout)
            .bias(dbias)
            .parallelism(workers)
            .gradients(dout)
            .dbias(sums)
            .run();
        first = first == null ? sums.toFloatArray() : first;
        assertArrayEquals(first, sums.toFloatArray());
      }
      double[] exact = new double[9];
      float[] values = dout.toFloatArray();
      for (int i = 0; i < values.length; i++) {
        exact[i % 9] += values[i];
      }
      for (int d = 0; d < 9; d++) {
        assertEquals(exact[d], first[d], 1e-6 * values.length / 9);
      }
    }
  }

  /** What is large goes past the caches, in whole lines: of 32 MiB and more. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void bitsDoNotDependOnTheSize(DType type) {
    int width = type == DType.FLOAT32 ? 1024 : 2048;
    for (String tier : List.of("cpu:portable", "cpu:avx2", "cpu:avx512")) {
      Device device;
      try {
        device = Device.byName(tier);
      } catch (UnsupportedOperationException absent) {
        continue;
      }
      try (Scope scope = Scope.open(device)) {
        Tensor x = random(scope, 1, 3, 2900, width).to(scope, type);
        x.setFloat(Float.NaN, 0, 17, 3);
        x.setFloat(Float.NEGATIVE_INFINITY, 1, 18, 2);
        Tensor bias = random(scope, 2, width);
        Activation gelu = Activation.gelu();
        ActivationCall all = gelu.call(x).bias(bias).parallelism(2);
        Tensor out = all.forward(scope);
        Tensor merged = gelu.forward(scope, x);
        Tensor dx = all.gradients(out).backward(scope);
        for (int b = 0; b < 3; b++) {
          Tensor part = x.slice(0, b, b + 1).slice(1, 0, 60);
          ActivationCall one = gelu.call(part).bias(bias);
          assertArrayEquals(
              one.forward(scope).toFloatArray(),
              out.slice(0, b, b + 1).slice(1, 0, 60).toFloatArray());
          assertArrayEquals(
              gelu.forward(scope, part).toFloatArray(),
              merged.slice(0, b, b + 1).slice(1, 0, 60).toFloatArray());
          assertArrayEquals(
              one.gradients(out.slice(0, b, b + 1).slice(1, 0, 60)).backward(scope).toFloatArray(),
              dx.slice(0, b, b + 1).slice(1, 0, 60).toFloatArray());
        }
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (long[] shape : new long[][] {{0, 6, 8}, {2, 0, 8}}) {
        Tensor x = scope.allocate(DType.FLOAT32, shape);
        Tensor bias = scope.allocate(DType.FLOAT32, 8).fill(Float.NaN);
        ActivationCall none = Activation.gelu().call(x).bias(bias);
        assertArrayEquals(shape, none.forward(scope).shape());
        assertEquals(0, none.gradients(x).backward(scope).elements());
        Tensor dbias = scope.allocate(DType.FLOAT32, 8).fill(5);
        none.gradients(x).dbias(dbias).accumulate(true).run();
        assertArrayEquals(new float[] {5, 5, 5, 5, 5, 5, 5, 5}, dbias.toFloatArray());
        none.gradients(x).dbias(dbias).run();
        assertArrayEquals(new float[8], dbias.toFloatArray());
      }
    }
  }

  @Test
  void whatIsWrittenSharesNothing() {
    try (Scope scope = Scope.open()) {
      Tensor x = random(scope, 1, 2, 6, 8);
      Tensor dout = random(scope, 2, 2, 6, 8);
      Tensor dx = random(scope, 3, 2, 6, 8);
      Tensor bias = random(scope, 4, 8);
      ActivationCall call =
          Activation.relu().call(x).bias(bias).gate(x).residual(random(scope, 6, 2, 6, 8));
      refused("out shares memory with x", () -> call.out(x).run());
      refused(
          "out shares memory with residual",
          () -> Activation.relu().call(x).residual(dout).out(dout).run());
      refused("dx shares memory with dout", () -> call.gradients(dout).dx(dout).run());
      refused("dx shares memory with dgate", () -> call.gradients(dout).dx(dx).dgate(dx).run());
      refused("dbias shares memory with bias", () -> call.gradients(dout).dbias(bias).run());
      // Halves of rows lie between each other.
      Tensor both = random(scope, 5, 2, 6, 16);
      Activation.silu().call(both.slice(2, 0, 8)).out(both.slice(2, 8, 16)).run();
    }
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }
}
