package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.CheckOptions;
import dev.fovea.testkit.CheckReport;
import dev.fovea.testkit.CheckRunner;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.Operations;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.attention.Cache.Scales;
import dev.fovea.testkit.attention.Options.Alibi;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Attention to a cache: random cases, and what must not change a bit. */
class DecodeConformanceTest {

  @OnEveryGroup
  void randomCases(TestGroup on) {
    Failed failed = new Failed(on.present(), 1);
    for (int i = 0; i < on.size(150, 12); i++) {
      failed.check(DecodeGenerator.generate(on.seed(), i, on.limits()));
    }
    failed.orPass();
  }

  /** A row of a tree sees one key, whose gate's rounding error all its columns have. */
  @OnEveryGroup
  void aRowOfOneKey(TestGroup on) {
    Failed failed = new Failed(on.present(), 1);
    failed.check(DecodeGenerator.generate(11, 163, Limits.SIM));
    failed.orPass();
  }

  @Test
  void theRunnerTakesThem() {
    CheckOptions options = CheckOptions.of("cpu").withOperation(Operations.of("decode"));
    CheckReport report = CheckRunner.run(options.withCases(20).withSeed(9));
    assertEquals(20, report.passed(), report.summary());
    assertTrue(report.summary().contains("20 of 20 decode forward cases"), report.summary());
  }

  private static Cache pagesOf(int size, DType type) {
    return new Cache(
        type,
        size,
        3,
        2,
        Scales.NONE,
        false,
        false,
        false,
        Style.DENSE,
        Style.DENSE,
        Style.DENSE,
        Style.DENSE);
  }

  private static byte[] bytes(AttentionCase c, Device device) {
    try (CaseRun run = new CaseRun(c, Operands.of(c), device)) {
      return run.run().outputBytes();
    }
  }

  @OnEveryDevice
  void pagesOfAnySize(TestDevice on) {
    Device device = on.device();
    for (DType type : TestDevice.TYPES) {
      for (int queries : new int[] {1, 3, 60}) {
        CaseBuilder base =
            new CaseBuilder()
                .dtype(type)
                .lengths(3, queries, 700)
                .ragged(null, new int[] {700, 0, 333})
                .heads(6, 2)
                .headDim(48)
                .causal()
                .window(500, -1)
                .alibi(Alibi.PER_HEAD)
                .sinks();
        byte[] expected = bytes(base.cache(pagesOf(1, type)).build(), device);
        for (int size : new int[] {2, 16, 128, 1024}) {
          AttentionCase c = base.cache(pagesOf(size, type)).build();
          assertArrayEquals(expected, bytes(c, device), c.toString());
        }
        if (on.isCpu()) {
          AttentionCase plain = base.cache(null).build();
          assertArrayEquals(expected, bytes(plain, device), plain.toString());
        }
      }
    }
  }

  /** Random numbers in a tensor. */
  private static Tensor random(Scope scope, DType type, long seed, long... shape) {
    Gaussian random = new Gaussian(seed);
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextNormal();
    }
    return scope.copyOf(values, type, shape);
  }

  /**
   * A token's bits are those of its own prefix: whether it comes alone, with others before it, or
   * with the whole prompt, and however many keys workers share.
   */
  @OnEveryDevice
  void chunksOfAnySize(TestDevice on) {
    on.assumeCpu("a GPU sums keys in other parts where rows are few");
    Attention attention = Attention.builder().causal().build();
    try (Scope scope = Scope.open(on.device())) {
      int length = 2100;
      Tensor query = random(scope, DType.FLOAT32, 1, 1, length, 4, 32);
      Tensor key = random(scope, DType.FLOAT32, 2, 1, length, 2, 32);
      Tensor value = random(scope, DType.FLOAT32, 3, 1, length, 2, 32);
      float[] whole = attention.forward(scope, query, key, value).toFloatArray();
      int width = 4 * 32;
      for (int chunk : new int[] {1, 2, 3, 30, 700}) {
        for (int begin : new int[] {0, 1, 511, 1023, 1024, 1400, length - chunk}) {
          int end = begin + chunk;
          Tensor out =
              attention.forward(
                  scope, query.slice(1, begin, end), key.slice(1, 0, end), value.slice(1, 0, end));
          assertArrayEquals(
              Arrays.copyOfRange(whole, begin * width, end * width),
              out.toFloatArray(),
              chunk + " from " + begin);
        }
      }
    }
  }

  /** The keys of one sequence are shared by workers, those of sixteen are not. */
  @OnEveryDevice
  void sharedKeys(TestDevice on) {
    on.assumeCpu("a GPU always shares them");
    try (Scope scope = Scope.open(on.device())) {
      Tensor query = random(scope, DType.FLOAT32, 1, 16, 2, 3, 40);
      Tensor key = random(scope, DType.FLOAT32, 2, 16, 3000, 1, 40);
      Tensor value = random(scope, DType.FLOAT32, 3, 16, 3000, 1, 40);
      Attention attention = Attention.builder().build();
      Tensor all = attention.forward(scope, query, key, value);
      AttentionCall one =
          attention
              .call(query.slice(0, 3, 4), key.slice(0, 3, 4), value.slice(0, 3, 4))
              .out(scope.allocate(DType.FLOAT32, 1, 2, 3, 40));
      assertEquals(2, one.plan().phases());
      one.run();
      assertArrayEquals(all.slice(0, 3, 4).toFloatArray(), one.forward(scope).toFloatArray());
    }
  }

  @OnEveryDevice
  void whatIsWrongInATable(TestDevice on) {
    on.assumeCpu("a GPU cannot report it");
    try (Scope scope = Scope.open(on.device())) {
      Tensor query = random(scope, DType.FLOAT32, 1, 2, 1, 2, 8);
      Tensor cache = random(scope, DType.FLOAT32, 2, 5, 4, 1, 8);
      Tensor table = scope.copyOf(new int[] {0, 1, 2, 3, 5, 4}, 2, 3);
      AttentionCall call =
          Attention.builder()
              .build()
              .call(query, cache, cache)
              .pages(table, 12)
              .keyLengths(scope.copyOf(new int[] {12, 5}, 2))
              .out(scope.allocate(DType.FLOAT32, 2, 1, 2, 8));
      String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
      assertTrue(message.contains("blockTable[1, 1] is 5, expected 0 to 4"), message);
      table.setInt(4, 1, 1);
      call.run();
      table.setInt(-7, 1, 2); // behind the length
      call.run();
      assertTrue(
          assertThrows(IllegalArgumentException.class, () -> call.pages(table, 13).plan())
              .getMessage()
              .contains("blockTable has 3 columns of pages of 4"));
      assertThrows(IllegalArgumentException.class, () -> call.pages(table, -1));
      Tensor odd = random(scope, DType.FLOAT32, 2, 5, 3, 1, 8);
      AttentionCall uneven = Attention.builder().build().call(query, odd, odd).pages(table, 9);
      uneven.out(scope.allocate(DType.FLOAT32, 2, 1, 2, 8));
      assertTrue(
          assertThrows(IllegalArgumentException.class, uneven::plan)
              .getMessage()
              .contains("pageSize is 3, expected a power of two"));
    }
  }
}
