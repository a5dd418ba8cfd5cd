package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/**
 * Rows go where they belong, attention reads them there, and what does not fit is refused whole.
 */
class CacheAppendTest {

  private final Scope scope = Scope.open();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor ints(int... values) {
    return scope.copyOf(values, values.length);
  }

  private Tensor random(long seed, long... shape) {
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    float[] values = new float[(int) tensor.elements()];
    Random random = new Random(seed);
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextFloat(-1, 1);
    }
    return tensor.copyFrom(values);
  }

  private Tensor zeros(DType type, long... shape) {
    return scope.allocate(type, shape).fill(0);
  }

  /** One call takes all steps: starts are read by the run. */
  @Test
  void rowsGoBehindThoseThatAreThere() {
    Tensor cache = zeros(DType.FLOAT32, 2, 4, 1, 2);
    Tensor starts = ints(0, 2);
    Tensor key = scope.copyOf(new float[] {1, 2, 3, 4}, 2, 1, 1, 2);
    CacheAppendCall call = CacheAppend.create().call(key, starts, cache);
    call.run();
    starts.copyFrom(new int[] {1, 3});
    key.copyFrom(new float[] {5, 6, 7, 8});
    call.run();
    assertArrayEquals(
        new float[] {1, 2, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 7, 8}, cache.toFloatArray());
  }

  @Test
  void lengthsAndOffsetsSayHowMany() {
    float[] expected = {1, 0, 0, 3, 4, 0};
    Tensor padded = zeros(DType.FLOAT32, 2, 3, 1, 1);
    Tensor starts = ints(0, 0);
    CacheAppend.create()
        .call(scope.copyOf(new float[] {1, 2, 3, 4}, 2, 2, 1, 1), starts, padded)
        .lengths(ints(1, 2))
        .run();
    assertArrayEquals(expected, padded.toFloatArray());
    Tensor packed = zeros(DType.FLOAT32, 2, 3, 1, 1);
    CacheAppend.create()
        .call(scope.copyOf(new float[] {1, 3, 4}, 3, 1, 1), starts, packed)
        .cuSeqlens(ints(0, 1, 3), 2)
        .run();
    assertArrayEquals(expected, packed.toFloatArray());
  }

  @Test
  void scalesAreOfRowsOrOfAll() {
    Tensor key = scope.copyOf(new float[] {254, -127, 0, 5.08f}, 1, 2, 1, 2);
    Tensor value = scope.copyOf(new float[] {1, 2, -4, 7}, 1, 2, 1, 2);
    Tensor keyCache = scope.allocate(DType.INT8, 1, 2, 1, 2);
    Tensor valueCache = scope.allocate(DType.INT8, 1, 2, 1, 2);
    Tensor keyScales = zeros(DType.FLOAT32, 1, 2, 1);
    Tensor valueScales = zeros(DType.FLOAT32, 1, 1, 1);
    CacheAppend.create()
        .call(key, ints(0), keyCache)
        .value(value, valueCache)
        .scales(keyScales, valueScales)
        .run();
    assertArrayEquals(new float[] {2, 5.08f / 127}, keyScales.toFloatArray());
    assertArrayEquals(new byte[] {127, -64, 0, 127}, keyCache.toByteArray());
    assertArrayEquals(new float[] {1 / 16f}, valueScales.toFloatArray()); // 7 / 127 is below
    assertArrayEquals(new byte[] {16, 32, -64, 112}, valueCache.toByteArray());
  }

  /** What attention reads from pages that were filled by steps is what it reads of the rows. */
  @Test
  void attentionReadsWhatWasAppended() {
    int length = 21;
    Tensor key = random(1, 1, length, 2, 16);
    Tensor value = random(2, 1, length, 2, 8);
    Tensor query = random(3, 1, 3, 4, 16);
    RotaryTables tables = RotaryTables.of(scope, length, 16, RotaryTables.BASE);
    Tensor rotated = RotaryEmbedding.halfSplit().forward(scope, key, tables);
    float[] expected = Attention.create().forward(scope, query, rotated, value).toFloatArray();
    for (DType type : new DType[] {DType.FLOAT32, DType.INT8, DType.FLOAT8_E4M3}) {
      boolean quantized = type != DType.FLOAT32;
      Tensor keys = scope.allocate(type, 8, 4, 2, 16);
      Tensor values = scope.allocate(type, 8, 4, 2, 8);
      Tensor keyScales = quantized ? scope.allocate(DType.FLOAT32, 8, 4, 2) : null;
      Tensor valueScales = quantized ? scope.allocate(DType.FLOAT32, 8, 1, 2) : null;
      Tensor table = scope.copyOf(new int[] {5, 0, 7, 2, 6, 1, -1}, 1, 7);
      int start = 0;
      for (int rows : new int[] {9, 1, 1, 7, 3}) {
        CacheAppend.create()
            .call(key.slice(1, start, start + rows), ints(start), keys)
            .value(value.slice(1, start, start + rows), values)
            .scales(keyScales, valueScales)
            .rotary(tables)
            .pages(table, length)
            .run();
        start += rows;
      }
      float[] out =
          Attention.create()
              .call(query, keys, values)
              .pages(table, length)
              .cacheScales(keyScales, valueScales)
              .forward(scope)
              .toFloatArray();
      float room = type == DType.FLOAT32 ? 1e-6f : type == DType.INT8 ? 0.015f : 0.08f;
      assertArrayEquals(expected, out, room, type.toString());
    }
  }

  private static void refused(String why, Executable what) {
    assertEquals(why, assertThrows(IllegalArgumentException.class, what).getMessage());
  }

  @Test
  void whatDoesNotFitIsRefusedBeforeAnythingIsWritten() {
    Tensor cache = zeros(DType.FLOAT32, 2, 4, 1, 2);
    Tensor starts = ints(0, 3);
    Tensor key = random(5, 2, 2, 1, 2);
    CacheAppendCall call = CacheAppend.create().call(key, starts, cache);
    String room = ": 2 rows are new, and cacheLength is 4";
    refused("starts[1] is 3, expected 0 to 2" + room, call::run);
    starts.copyFrom(new int[] {0, -1});
    refused("starts[1] is -1, expected 0 to 2" + room, call::run);
    starts.copyFrom(new int[] {0, 2});
    refused("lengths[1] is 3, expected 0 to 2", () -> call.lengths(ints(1, 3)).run());
    call.lengths(null).rotary(RotaryTables.of(scope, 3, 2, 10));
    refused(
        "positionCount is 3, expected 4 or more: rows of sequence 1 are at positions up to 3",
        call::run);
    call.positions(scope.copyOf(new int[] {0, 1, 2, 3}, 2, 2));
    refused("positions[1, 1] is 3, expected 0 to 2", call::run);
    assertArrayEquals(new float[16], cache.toFloatArray());
  }

  @Test
  void whatDoesNotGoTogetherIsRefused() {
    Tensor key = random(6, 1, 1, 1, 4);
    Tensor cache = zeros(DType.FLOAT32, 1, 2, 1, 4);
    CacheAppend append = CacheAppend.create();
    refused(
        "valueCache is given without value",
        () -> append.call(key, ints(0), cache).value(null, cache));
    refused(
        "positions is given without cosines",
        () -> append.call(key, ints(0), cache).positions(ints(0).unsqueeze(0)).run());
    refused(
        "interleaved is given without cosines",
        () -> append.interleaved().call(key, ints(0), cache).run());
    refused(
        "pairs is 3, expected 1 to half of headDim, which is 4",
        () -> append.call(key, ints(0), cache).rotary(RotaryTables.of(scope, 2, 6, 10)).run());
    UnsupportedOperationException scaled =
        assertThrows(
            UnsupportedOperationException.class,
            () ->
                append.call(key, ints(0), cache).scales(zeros(DType.FLOAT32, 1, 2, 1), null).run());
    assertEquals("keyScales do not go with a cache of a floating type", scaled.getMessage());
    Tensor odd = random(7, 1, 1, 1, 3);
    Tensor bytes = scope.allocate(DType.INT4X2, 1, 2, 1, 1);
    assertThrows(IllegalArgumentException.class, () -> append.call(odd, ints(0), bytes).run());
    assertThrows(NullPointerException.class, () -> append.call(key, null, cache));
  }

  @Test
  void thereIsNoOut() {
    CacheAppendCall call =
        CacheAppend.create().call(random(8, 1, 1, 1, 2), ints(0), zeros(DType.FLOAT32, 1, 1, 1, 2));
    String why = "CacheAppend[half-split] has no out: it writes the cache";
    assertEquals(
        why, assertThrows(UnsupportedOperationException.class, () -> call.out(null)).getMessage());
    assertEquals(
        why,
        assertThrows(UnsupportedOperationException.class, () -> call.forward(scope)).getMessage());
    call.run();
  }

  @Test
  void equalByWhatTheyCompute() {
    assertEquals(CacheAppend.create(), CacheAppend.create());
    assertEquals(CacheAppend.create().hashCode(), CacheAppend.create().hashCode());
    assertNotEquals(CacheAppend.create(), CacheAppend.create().interleaved());
    assertEquals("CacheAppend[interleaved]", CacheAppend.create().interleaved().toString());
  }
}
