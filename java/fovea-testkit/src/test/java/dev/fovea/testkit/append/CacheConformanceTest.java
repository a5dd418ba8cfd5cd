package dev.fovea.testkit.append;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.CacheAppend;
import dev.fovea.CacheAppendCall;
import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.Quantization;
import dev.fovea.testkit.TestDevice;
import java.util.Arrays;
import java.util.List;

/** What holds beyond one case: codes, several calls, pages and one tensor, and what is refused. */
class CacheConformanceTest {

  private static final List<DType> QUANTIZED = List.of(DType.INT8, DType.INT4X2, DType.FLOAT8_E4M3);

  private static float[] normal(int count, long seed) {
    Gaussian random = new Gaussian(Gaussian.mix(seed));
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextNormal();
    }
    return values;
  }

  private static Tensor ints(Scope scope, int... values) {
    return scope.copyOf(values, values.length);
  }

  /** Elements, or bytes of a type that is no floating one. */
  private static float[] contents(Tensor tensor) {
    if (!QUANTIZED.contains(tensor.dtype())) {
      return tensor.toFloatArray();
    }
    byte[] bytes = tensor.toByteArray();
    float[] values = new float[bytes.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = bytes[i];
    }
    return values;
  }

  /** The 127 numbers of either sign that are not NaN, by the format's definition. */
  private static double[] allE4m3() {
    double[] all = new double[127];
    for (int i = 0; i < all.length; i++) {
      int exponent = i / 8;
      all[i] = exponent == 0 ? i % 8 / 512.0 : (1 + i % 8 / 8.0) * Math.pow(2, exponent - 7);
    }
    return all;
  }

  /**
   * Without scales: each number, what lies half way to the next and beside that, and all beyond.
   */
  @OnEveryDevice
  void codesOfE4m3AreTheNearest(TestDevice on) {
    double[] all = allE4m3();
    assertEquals(448, all[126]);
    float[] values = new float[4 * all.length + 4];
    int[] codes = new int[values.length];
    for (int i = 0; i < all.length; i++) {
      float half = (float) (i == 126 ? 464 : (all[i] + all[i + 1]) / 2);
      values[4 * i] = (float) all[i];
      values[4 * i + 1] = Math.nextDown(half);
      values[4 * i + 2] = half;
      values[4 * i + 3] = Math.nextUp(half);
      codes[4 * i] = i;
      codes[4 * i + 1] = i;
      codes[4 * i + 2] = Math.min(126, i + i % 2);
      codes[4 * i + 3] = Math.min(126, i + 1);
    }
    int at = 4 * all.length;
    float[] last = {Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NaN, Float.MIN_VALUE};
    System.arraycopy(last, 0, values, at, 4);
    System.arraycopy(new int[] {126, 126, 127, 0}, 0, codes, at, 4);
    for (int sign : new int[] {1, -1}) {
      float[] signed = values.clone();
      byte[] expected = new byte[codes.length];
      for (int i = 0; i < signed.length; i++) {
        signed[i] *= sign;
        expected[i] = (byte) (sign < 0 && codes[i] != 127 ? codes[i] | 0x80 : codes[i]);
      }
      assertArrayEquals(expected, stored(on, DType.FLOAT8_E4M3, signed));
    }
  }

  /** Integers, halves, which go to the even one, and what lies beside halves. */
  @OnEveryDevice
  void codesOfIntegersAreTheNearest(TestDevice on) {
    for (DType type : List.of(DType.INT8, DType.INT4X2)) {
      int most = type == DType.INT8 ? 127 : 7;
      float[] values = new float[2 * (4 * most + 8)];
      int[] codes = new int[values.length];
      int at = 0;
      for (int i = -most - 1; i <= most; i++) {
        float half = i + 0.5f;
        float[] four = {i, Math.nextDown(half), half, Math.nextUp(half)};
        int even = i % 2 == 0 ? i : i + 1;
        int[] nearest = {i, i, even, i + 1};
        for (int k = 0; k < 4; k++) {
          values[at] = four[k];
          codes[at++] = Math.clamp(nearest[k], -most, most);
        }
      }
      float[] last = {Float.NaN, Float.POSITIVE_INFINITY, -Float.MAX_VALUE, -0f};
      System.arraycopy(last, 0, values, at, 4);
      System.arraycopy(new int[] {0, most, -most, 0}, 0, codes, at, 4);
      byte[] expected = new byte[type == DType.INT8 ? codes.length : codes.length / 2];
      for (int i = 0; i < expected.length; i++) {
        expected[i] =
            (byte) (type == DType.INT8 ? codes[i] : codes[2 * i] & 15 | codes[2 * i + 1] << 4);
      }
      assertArrayEquals(expected, stored(on, type, values));
    }
  }

  /** The bytes of a cache without scales: in rows of 4, of which no vector has two. */
  private static byte[] stored(TestDevice on, DType type, float[] values) {
    try (Scope scope = Scope.open(on.device())) {
      int each = type == DType.INT4X2 ? 2 : 1;
      byte[] all = null;
      for (int columns : new int[] {4, values.length}) {
        if (columns > 576) {
          continue;
        }
        int rows = values.length / columns;
        Tensor cache = scope.allocate(type, 1, rows, 1, columns / each);
        CacheAppend.create()
            .call(scope.copyOf(values, 1, rows, 1, columns), ints(scope, 0), cache)
            .run();
        byte[] now = cache.toByteArray();
        assertArrayEquals(now, all == null ? now : all);
        all = now;
      }
      return all;
    }
  }

  /** Rows with a scale each, and of floating types, whether they come at once or one by one. */
  @OnEveryDevice
  void oneByOneIsAllAtOnce(TestDevice on) {
    for (DType type : List.of(DType.FLOAT16, DType.INT8, DType.INT4X2, DType.FLOAT8_E4M3)) {
      try (Scope scope = Scope.open(on.device())) {
        int rows = 9;
        int columns = type == DType.INT4X2 ? 10 : 20;
        Tensor key = scope.copyOf(normal(rows * 2 * 20, 5), 1, rows, 2, 20);
        Tensor[] caches = new Tensor[2];
        Tensor[] scales = new Tensor[2];
        for (int way = 0; way < 2; way++) {
          caches[way] = scope.allocate(type, 1, rows, 2, columns);
          scales[way] = type == DType.FLOAT16 ? null : scope.allocate(DType.FLOAT32, 1, rows, 2);
          for (int row = 0; row < rows; row += way == 0 ? rows : 1) {
            Tensor added = way == 0 ? key : key.slice(1, row, row + 1);
            CacheAppend.create()
                .call(added, ints(scope, row), caches[way])
                .scales(scales[way], null)
                .run();
          }
        }
        assertArrayEquals(contents(caches[0]), contents(caches[1]));
        if (scales[0] != null) {
          assertArrayEquals(scales[0].toFloatArray(), scales[1].toFloatArray());
        }
      }
    }
  }

  /** Pages of any size, in any order, hold what one tensor does. */
  @OnEveryDevice
  void pagesHoldWhatOneTensorDoes(TestDevice on) {
    int length = 24;
    int[] starts = {5, 0, 11};
    int[] offsets = {0, 7, 8, 20};
    for (DType type : List.of(DType.BFLOAT16, DType.INT8, DType.FLOAT8_E4M3)) {
      try (Scope scope = Scope.open(on.device())) {
        Tensor key = scope.copyOf(normal(20 * 2 * 12, 9), 20, 2, 12);
        boolean scaled = type != DType.BFLOAT16;
        Tensor flat = scope.allocate(type, 3, length, 2, 12);
        Tensor flatScales = scaled ? scope.allocate(DType.FLOAT32, 3, length, 2) : null;
        clear(flat, flatScales);
        CacheAppendCall call =
            CacheAppend.create()
                .call(key, ints(scope, starts), flat)
                .scales(flatScales, null)
                .cuSeqlens(ints(scope, offsets), 12);
        call.run();
        for (int page : scaled ? new int[] {2, 8} : new int[] {1, 2, 8}) {
          int columns = length / page;
          int count = 3 * columns;
          int[] table = new int[count];
          for (int i = 0; i < count; i++) {
            table[i] = (i * 7 + 3) % count; // 7 divides no count
          }
          Tensor pages = scope.allocate(type, count, page, 2, 12);
          Tensor scales = scaled ? scope.allocate(DType.FLOAT32, count, page, 2) : null;
          clear(pages, scales);
          CacheAppend.create()
              .call(key, ints(scope, starts), pages)
              .scales(scales, null)
              .cuSeqlens(ints(scope, offsets), 12)
              .pages(scope.copyOf(table, 3, columns), length)
              .run();
          for (int i = 0; i < count; i++) {
            Tensor own = pages.slice(0, table[i], table[i] + 1);
            int from = i % columns * page;
            Tensor same = flat.slice(0, i / columns, i / columns + 1).slice(1, from, from + page);
            assertArrayEquals(contents(same), contents(own), type + " page " + i + " of " + page);
          }
        }
      }
    }
  }

  private static void clear(Tensor cache, Tensor scales) {
    if (scales == null) {
      cache.fill(0);
    } else {
      cache.copyFrom(new byte[Math.toIntExact(cache.elements())]);
      scales.fill(0);
    }
  }

  /**
   * Rows come one by one and grow: what a page has read as at the end errs by the bound at most.
   */
  @OnEveryDevice
  void elementsOfAPageErrByTheirBound(TestDevice on) {
    int rows = on.size(64, 16);
    int columns = 32;
    for (DType type : QUANTIZED) {
      int each = type == DType.INT4X2 ? 2 : 1;
      for (int seed = 1; seed <= on.size(12, 2); seed++) {
        try (Scope scope = Scope.open(on.device())) {
          float[] values = normal(rows * columns, seed);
          Gaussian random = new Gaussian(seed);
          for (int row = 0; row < rows; row++) {
            float factor = Math.scalb(1f, random.nextInt(row + 1) / 4);
            for (int i = 0; i < columns; i++) {
              values[row * columns + i] *= factor;
            }
          }
          Tensor key = scope.copyOf(values, 1, rows, 1, columns);
          Tensor cache = scope.allocate(type, 1, rows, 1, columns / each);
          Tensor scales = scope.allocate(DType.FLOAT32, 1, 1, 1);
          for (int row = 0; row < rows; row++) {
            CacheAppend.create()
                .call(key.slice(1, row, row + 1), ints(scope, row), cache)
                .scales(scales, null)
                .run();
          }
          float scale = scales.toFloatArray()[0];
          byte[] codes = cache.toByteArray();
          double worst = 0;
          for (int i = 0; i < values.length; i++) {
            int code = each == 1 ? codes[i] & 0xff : codes[i / 2] >> i % 2 * 4 & 15;
            double error = Math.abs(scale * Quantization.value(type, code) - values[i]);
            worst = Math.max(worst, error / Oracle.pageError(type, values[i], scale));
          }
          assertTrue(worst < 1, type + ": " + worst);
          assertTrue(type == DType.FLOAT8_E4M3 || worst > 0.4, type + ": " + worst);
        }
      }
    }
  }

  /** What does not fit is refused whole by the CPU, and left out by a GPU. */
  @OnEveryDevice
  void whatDoesNotFitIsNotWritten(TestDevice on) {
    try (Scope scope = Scope.open(on.device())) {
      Tensor key = scope.copyOf(normal(2 * 3 * 8, 3), 2, 3, 1, 8);
      Tensor cache = scope.allocate(DType.FLOAT32, 4, 2, 1, 8).fill(7);
      float[] before = cache.toFloatArray();
      CacheAppendCall call =
          CacheAppend.create()
              .call(key, ints(scope, 0, 1), cache)
              .pages(scope.copyOf(new int[] {0, 1, 2, 4}, 2, 2), 4);
      refused(on, call, "blockTable[1, 1] is 4, expected 0 to 3");
      call = call.pages(scope.copyOf(new int[] {0, 1, 2, -1}, 2, 2), 4);
      refused(on, call, "blockTable[1, 1] is -1, expected 0 to 3");
      if (on.isCpu()) {
        assertArrayEquals(before, cache.toFloatArray());
      } else {
        // Its one row that has a page is row 1 of page 2.
        float[] now = cache.toFloatArray();
        System.arraycopy(key.toFloatArray(), 3 * 8, before, 5 * 8, 8);
        assertArrayEquals(
            Arrays.copyOfRange(before, 4 * 8, 64), Arrays.copyOfRange(now, 4 * 8, 64));
      }
    }
  }

  private static void refused(TestDevice on, CacheAppendCall call, String why) {
    if (on.isCpu()) {
      IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class, call::run);
      assertEquals(why, refusal.getMessage());
    } else {
      call.run();
    }
  }
}
