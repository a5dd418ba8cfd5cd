package dev.fovea.testkit.crossentropy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.fovea.CrossEntropy;
import dev.fovea.CrossEntropyCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.GuardedMemory;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.crossentropy.CrossEntropyCase.Content;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What holds beyond one case: every width of a row, bits, targets that are none; refusals. */
class CrossEntropyConformanceTest {

  /** Around the widths of vectors, packets, blocks of vectors and threads, and pieces of rows. */
  private static final int[] CLASSES = {
    1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 255, 256, 257, 511, 512,
    513, 520, 1023, 1024, 1025, 2048, 2049, 4096, 4100, 8200
  };

  /** Elements before rows and between them, of which vectors of some types and widths begin. */
  private static final int[] APART = {0, 1, 2, 4, 8};

  private static Tensor random(Scope scope, long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = 3 * random.nextNormal();
    }
    return tensor.copyFrom(values);
  }

  private static Tensor targets(Scope scope, long seed, int classes, long... shape) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    int[] targets = new int[(int) (shape[0] * shape[1])];
    Arrays.setAll(targets, i -> random.nextInt(classes));
    return scope.copyOf(targets, shape);
  }

  /** Rows of every width that begin where vectors are aligned or not; types that differ. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (int classes : CLASSES) {
      for (DType type : TestDevice.TYPES) {
        CaseBuilder c =
            new CaseBuilder()
                .dtype(type)
                .sizes(1, 3, classes)
                .content(Content.NORMAL, ++seed)
                .ignored(seed % 4 == 0 ? 0.3 : 0)
                .guard(seed % 2 == 0 ? Side.BEGIN : Side.END);
        int apart = APART[seed % APART.length];
        for (String rows : List.of("logits", "dlogits")) {
          c.style(rows, new MatrixStyle(false, apart, apart, 0, false));
        }
        DType other = seed % 5 == 0 ? DType.BFLOAT16 : type;
        for (int smoothing = 0; smoothing < 3; smoothing++) {
          failed.check(c.backward(null).build());
          failed.check(c.backward(other).build());
          if (smoothing == 0) {
            c.smoothing(0.1f);
          } else {
            c.weights();
          }
        }
      }
    }
    failed.orPass();
  }

  /** For logits and gradients alone: rows a multiple of 16 bytes apart that begin anywhere. */
  @OnEveryGroup
  void rowsApartByWholePackets(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (DType type : TestDevice.TYPES) {
      for (int offset : new int[] {1, 2, 4}) {
        for (String rows : List.of("logits", "dlogits")) {
          CaseBuilder c =
              new CaseBuilder()
                  .dtype(type)
                  .sizes(2, 3, 24)
                  .content(Content.NORMAL, ++seed)
                  .style(rows, new MatrixStyle(false, offset, 0, 0, false));
          failed.check(c.build());
          failed.check(c.backward(type).build());
        }
      }
    }
    failed.orPass();
  }

  /** Every kind of logits, in rows of a few classes and of many. */
  @OnEveryGroup
  void everyKindOfLogits(TestGroup on) {
    Failed failed = new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
    int seed = 0;
    for (Content content : Content.values()) {
      for (int classes : new int[] {5, 64, 700, 5000}) {
        for (DType type : TestDevice.TYPES) {
          CaseBuilder c =
              new CaseBuilder().dtype(type).sizes(1, 2, classes).content(content, ++seed);
          failed.check(c.build());
          failed.check(c.smoothing(0.2f).build());
          failed.check(c.backward(type).build());
          failed.check(c.weights().build());
          failed.check(c.backward(null).build());
        }
      }
    }
    failed.orPass();
  }

  /** The CPU says which target is no class before anything is written. */
  @OnEveryDevice
  void targetsThatAreNoneAreRefused(TestDevice on) {
    on.assumeCpu("a kernel on a GPU cannot say so");
    try (Scope scope = Scope.open(on.device())) {
      int rows = 100_000; // so many that they are looked at in several items
      Tensor logits = random(scope, 1, 2, rows, 3);
      Tensor out = scope.allocate(DType.FLOAT32, 2, rows).fill(5);
      Tensor lse = scope.allocate(DType.FLOAT32, 2, rows).fill(5);
      Tensor dlogits = scope.allocate(DType.FLOAT32, 2, rows, 3).fill(5);
      for (int none : new int[] {3, Integer.MAX_VALUE}) {
        int[] targets = new int[2 * rows];
        targets[2 * rows - 2] = none;
        CrossEntropyCall call =
            CrossEntropy.create().call(logits, scope.copyOf(targets, 2, rows)).out(out).lse(lse);
        String named = "targets[1, %d] is %d, expected 0 to 2".formatted(rows - 2, none);
        refused(named, call::run);
        refused(named, () -> call.gradients(out, lse).dlogits(dlogits).run());
        for (Tensor written : List.of(out, lse, dlogits)) {
          for (float value : written.toFloatArray()) {
            assertEquals(5, value);
          }
        }
      }
    }
  }

  /** Elsewhere its row is NaN, but for lse; other rows are as ever. */
  @OnEveryDevice
  void targetsThatAreNoneGiveNaN(TestDevice on) {
    assumeFalse(on.isCpu(), () -> on + " is skipped: it refuses them");
    try (Scope scope = Scope.open(on.device())) {
      for (int classes : new int[] {9, 8, 4500}) {
        Tensor logits = random(scope, 1, 1, 4, classes);
        Tensor lse = scope.allocate(DType.FLOAT32, 1, 4);
        Tensor dout = random(scope, 2, 1, 4);
        CrossEntropy loss = CrossEntropy.create().labelSmoothing(0.1);
        CrossEntropyCall right = loss.call(logits, scope.copyOf(new int[] {0, 1, 2, 3}, 1, 4));
        float[] out = right.lse(lse).forward(scope).toFloatArray();
        float[] sums = lse.toFloatArray();
        float[] gradients = right.gradients(dout, lse).backward(scope).toFloatArray();
        out[2] = Float.NaN;
        Arrays.fill(gradients, 2 * classes, 3 * classes, Float.NaN);
        for (int none : new int[] {classes, Integer.MAX_VALUE}) {
          CrossEntropyCall wrong = loss.call(logits, scope.copyOf(new int[] {0, 1, none, 3}, 1, 4));
          assertArrayEquals(out, wrong.lse(lse).forward(scope).toFloatArray());
          assertArrayEquals(sums, lse.toFloatArray());
          assertArrayEquals(gradients, wrong.gradients(dout, lse).backward(scope).toFloatArray());
        }
      }
    }
  }

  /** A row has the same bits alone, in a batch, and whatever threads share that. */
  @OnEveryDevice
  void bitsOfARow(TestDevice on) {
    int length = on.size(700, 20);
    try (Scope scope = Scope.open(on.device())) {
      for (int classes : new int[] {37, on.size(3000, 2100)}) {
        int rows = classes == 37 ? length : length / 10;
        Tensor logits = random(scope, 1, 3, rows, classes);
        Tensor targets = targets(scope, 2, classes, 3, rows);
        Tensor dout = random(scope, 3, 3, rows);
        Tensor lse = scope.allocate(DType.FLOAT32, 3, rows);
        CrossEntropy loss = CrossEntropy.create().labelSmoothing(0.1);
        CrossEntropyCall all = loss.call(logits, targets).lse(lse).parallelism(3);
        Tensor out = all.forward(scope);
        Tensor dlogits = all.gradients(dout, lse).backward(scope);
        for (int row : new int[] {0, 1, rows - 1}) {
          for (int b = 0; b < 3; b++) {
            Tensor sum = scope.allocate(DType.FLOAT32, 1, 1);
            CrossEntropyCall alone = loss.call(one(logits, b, row), one(targets, b, row)).lse(sum);
            assertArrayEquals(one(out, b, row).toFloatArray(), alone.forward(scope).toFloatArray());
            assertArrayEquals(one(lse, b, row).toFloatArray(), sum.toFloatArray());
            assertArrayEquals(
                one(dlogits, b, row).toFloatArray(),
                alone.gradients(one(dout, b, row), sum).backward(scope).toFloatArray());
          }
        }
      }
    }
  }

  private static Tensor one(Tensor tensor, int b, int row) {
    return tensor.slice(0, b, b + 1).slice(1, row, row + 1);
  }

  /** What is large may go past the caches, in whole lines: of 32 MiB and more. */
  @ParameterizedTest
  @CsvSource({
    "FLOAT32, 1024, 0",
    "FLOAT32, 1000, 0",
    "FLOAT32, 1001, 3",
    "FLOAT32, 100, 0",
    "FLOAT32, 7, 0",
    "BFLOAT16, 1024, 0",
    "BFLOAT16, 1001, 0",
    "BFLOAT16, 33, 5",
    "FLOAT16, 96, 0",
    "FLOAT16, 99, 40"
  })
  void bitsDoNotDependOnTheSize(DType type, int classes, int apart) {
    int rows = 18_000_000 / classes / 2;
    try (Scope scope = Scope.open()) {
      Tensor logits = random(scope, 1, 2, rows, classes).to(scope, type);
      int[] all = new int[2 * rows];
      Arrays.setAll(all, i -> i % 5 == 0 ? -100 : i % classes);
      Tensor targets = scope.copyOf(all, 2, rows);
      Tensor dout = random(scope, 2, 2, rows);
      Tensor lse = scope.allocate(DType.FLOAT32, 2, rows);
      CrossEntropyCall call = CrossEntropy.create().call(logits, targets).lse(lse).parallelism(2);
      call.forward(scope);
      Tensor wide = scope.allocate(type, 2, rows, classes + apart).fill(5);
      Tensor dlogits = wide.slice(2, 0, classes);
      call.gradients(dout, lse).dlogits(dlogits).run();
      for (int begin : new int[] {0, 7, rows - 300}) {
        Tensor[] some = new Tensor[4];
        Tensor[] whole = {logits, targets, dout, lse};
        for (int i = 0; i < 4; i++) {
          some[i] = whole[i].slice(0, 1, 2).slice(1, begin, begin + 300);
        }
        CrossEntropyCall part = CrossEntropy.create().call(some[0], some[1]);
        assertArrayEquals(
            part.gradients(some[2], some[3]).backward(scope).toFloatArray(),
            dlogits.slice(0, 1, 2).slice(1, begin, begin + 300).toFloatArray());
      }
      for (float gap : wide.slice(2, classes, classes + apart).toFloatArray()) {
        assertEquals(5, gap);
      }
      float[] first = dlogits.slice(0, 0, 1).slice(1, 0, 1).toFloatArray();
      assertArrayEquals(new float[classes], first); // which is ignored
    }
  }

  /** Rows or sequences that are more than 2^31 elements apart. */
  @OnEveryDevice
  void strides(TestDevice on) {
    long step = (1L << 31) + 5;
    try (Scope scope = Scope.open();
        GuardedMemory far = GuardedMemory.sparse(4 * (step + 40));
        GuardedMemory farGradient = GuardedMemory.sparse(4 * (step + 40))) {
      Tensor logits = random(scope, 1, 2, 2, 9).on(on.device());
      Tensor targets = scope.copyOf(new int[] {2, 0, 8, 1}, 2, 2).on(on.device());
      Tensor dout = random(scope, 2, 2, 2).on(on.device());
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 2).on(on.device());
      Tensor out = scope.allocate(DType.FLOAT32, 2, 2).on(on.device());
      Tensor dlogits = scope.allocate(DType.FLOAT32, 2, 2, 9).on(on.device());
      CrossEntropyCall near = CrossEntropy.create().call(logits, targets).out(out).lse(lse);
      near.run();
      near.gradients(dout).dlogits(dlogits).run();
      float[] losses = out.toFloatArray();
      for (long[] apart : new long[][] {{step, 9, 1}, {9, step, 1}}) {
        long[] shape = {2, 2, 9};
        Tensor from = Tensor.of(far.segment(), DType.FLOAT32, shape, apart);
        from.copyFrom(logits.toFloatArray());
        Tensor to = Tensor.of(farGradient.segment(), DType.FLOAT32, shape, apart).on(on.device());
        CrossEntropyCall call = CrossEntropy.create().call(from.on(on.device()), targets);
        call.out(out).lse(lse).run();
        assertArrayEquals(losses, out.toFloatArray());
        call.gradients(dout).dlogits(to).run();
        assertArrayEquals(dlogits.toFloatArray(), to.toFloatArray());
      }
    }
  }

  @OnEveryDevice
  void emptySizes(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      for (long[] shape : new long[][] {{0, 5}, {2, 0}}) {
        Tensor logits = scope.allocate(DType.FLOAT32, shape[0], shape[1], 6);
        Tensor lse = scope.allocate(DType.FLOAT32, shape);
        CrossEntropyCall none =
            CrossEntropy.create()
                .labelSmoothing(0.5)
                .call(logits, scope.allocate(DType.INT32, shape))
                .classWeight(random(scope, 1, 6))
                .lse(lse);
        Tensor out = none.forward(scope);
        assertArrayEquals(shape, out.shape());
        assertEquals(0, none.gradients(out, lse).backward(scope).elements());
      }
    }
  }

  @Test
  void whatIsWrittenSharesNothing() {
    try (Scope scope = Scope.open()) {
      Tensor logits = random(scope, 1, 2, 3, 4);
      Tensor targets = targets(scope, 2, 4, 2, 3);
      Tensor lse = scope.allocate(DType.FLOAT32, 2, 3);
      CrossEntropyCall call = CrossEntropy.create().call(logits, targets).lse(lse);
      refused("out shares memory with lse", () -> call.out(lse).run());
      Tensor over = logits.reshape(24).slice(0, 0, 6).reshape(2, 3);
      refused("out shares memory with logits", () -> call.out(over).run());
      Tensor dout = random(scope, 3, 2, 3);
      refused(
          "dlogits shares memory with logits",
          () -> call.gradients(dout, lse).dlogits(logits).run());
    }
  }

  @Test
  void refusalsNameWhatIsWrong() {
    try (Scope scope = Scope.open()) {
      Tensor logits = random(scope, 1, 2, 3, 4);
      Tensor targets = targets(scope, 2, 4, 2, 3);
      Tensor dout = random(scope, 3, 2, 3);
      CrossEntropy loss = CrossEntropy.create();
      CrossEntropyCall call = loss.call(logits, targets);
      refused(
          "targets has shape [3, 2], expected [B, S] = [2, 3]",
          () -> loss.call(logits, targets(scope, 4, 4, 3, 2)).out(dout).run());
      refused("targets is FLOAT32, expected INT32", () -> loss.call(logits, dout).forward(scope));
      refused(
          "classWeight has shape [3], expected [V] = [4]",
          () -> loss.call(logits, targets).classWeight(random(scope, 5, 3)).forward(scope));
      refused(
          "out is BFLOAT16, expected FLOAT32",
          () -> loss.call(logits, targets).out(dout.to(scope, DType.BFLOAT16)).run());
      refused(
          "dout is FLOAT16, expected FLOAT32",
          () -> call.gradients(dout.to(scope, DType.FLOAT16), dout).backward(scope));
      refused("labelSmoothing is 1.5, expected 0 to 1", () -> loss.labelSmoothing(1.5));
      refused("labelSmoothing is NaN, expected 0 to 1", () -> loss.labelSmoothing(Double.NaN));
      assertThrows(IllegalStateException.class, call::run);
      call.forward(scope);
      Exception unsaved =
          assertThrows(IllegalStateException.class, () -> call.gradients(dout).backward(scope));
      assertTrue(unsaved.getMessage().contains("lse of the call is not set"), unsaved::getMessage);
    }
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }
}
