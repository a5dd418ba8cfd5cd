package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Parts are merged by hand, and as attention over a prefix and what follows; what is refused. */
class MergeTest {

  private static final float ROOM = 2e-6f;
  private static final float NONE = Float.NEGATIVE_INFINITY;

  private final Scope scope = Scope.open();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static float ln(double x) {
    return (float) Math.log(x);
  }

  private Tensor random(long seed, long... shape) {
    Random random = new Random(seed);
    Tensor tensor = scope.allocate(DType.FLOAT32, shape);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return tensor.copyFrom(values);
  }

  /** Two parts of two rows, of two columns. */
  private Tensor outs() {
    return scope.copyOf(new float[] {1, 2, 3, 4, 5, -6, 7, -8}, 2, 1, 2, 1, 2);
  }

  private Tensor lses(float... lses) {
    return scope.copyOf(lses, 2, 1, 1, 2);
  }

  @Test
  void byHand() {
    Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, 2);
    MergeCall call = Merge.create().call(outs(), lses(ln(1), 5, ln(3), 5)).lse(lse);
    Tensor out = call.forward(scope);
    assertArrayEquals(new long[] {1, 2, 1, 2}, out.shape());
    assertArrayEquals(new float[] {4, -4, 5, -2}, out.toFloatArray(), ROOM);
    assertArrayEquals(new float[] {ln(4), 5 + ln(2)}, lse.toFloatArray(), ROOM);
    call.sinks(scope.copyOf(new float[] {ln(4)}, 1));
    assertArrayEquals(new float[] {2, -2}, call.forward(scope).slice(1, 0, 1).toFloatArray(), ROOM);
    assertEquals(ln(8), lse.getFloat(0, 0, 0), ROOM);
    assertArrayEquals(out.toFloatArray(), call.sinks(null).forward(scope).toFloatArray());
  }

  @Test
  void partsWithoutKeysAreNotRead() {
    Tensor outs = outs();
    outs.setFloat(Float.NaN, 0, 0, 0, 0, 1);
    outs.setFloat(Float.NaN, 1, 0, 1, 0, 0);
    Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, 2);
    MergeCall call = Merge.create().call(outs, lses(NONE, 7, -3, -83)).lse(lse);
    assertArrayEquals(new float[] {5, -6, 3, 4}, call.forward(scope).toFloatArray());
    assertArrayEquals(new float[] {-3, 7}, lse.toFloatArray());
    call = Merge.create().call(outs, lses(NONE, NONE, NONE, NONE)).lse(lse);
    assertArrayEquals(new float[4], call.forward(scope).toFloatArray());
    assertArrayEquals(new float[] {NONE, NONE}, lse.toFloatArray());
    call.sinks(scope.copyOf(new float[] {-2.5f}, 1));
    assertArrayEquals(new float[4], call.forward(scope).toFloatArray());
    assertArrayEquals(new float[] {-2.5f, -2.5f}, lse.toFloatArray());
  }

  /** And not of any other row. */
  @Test
  void anLseThatIsNoNumberIsThatOfItsRow() {
    for (float no : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      Tensor lse = scope.allocate(DType.FLOAT32, 1, 1, 2);
      float[] out =
          Merge.create().call(outs(), lses(1, 2, no, 2)).lse(lse).forward(scope).toFloatArray();
      assertTrue(Float.isNaN(out[0]) && Float.isNaN(out[1]) && Float.isNaN(lse.getFloat(0, 0, 0)));
      assertEquals(5, out[2], ROOM);
      assertEquals(2 + ln(2), lse.getFloat(0, 0, 1), ROOM);
    }
  }

  @Test
  void outMayHaveAnotherType() {
    Tensor outs = random(1, 3, 2, 4, 2, 8);
    Tensor lses = random(2, 3, 2, 2, 4);
    Tensor exact = Merge.create().forward(scope, outs, lses);
    Merge narrow = Merge.create().outDType(DType.BFLOAT16);
    Tensor out = narrow.forward(scope, outs, lses);
    assertEquals(DType.BFLOAT16, out.dtype());
    assertArrayEquals(exact.to(scope, DType.BFLOAT16).toFloatArray(), out.toFloatArray());
    Tensor half = outs.to(scope, DType.FLOAT16);
    assertEquals(DType.FLOAT16, Merge.create().forward(scope, half, lses).dtype());
  }

  /** As the documentation has it: over the prefix all sequences are one. */
  @Test
  void aPrefixThatSequencesShare() {
    Attention attention = Attention.builder().build();
    int batch = 3;
    int length = 2;
    int heads = 4;
    int dim = 16;
    Tensor query = random(1, batch, length, heads, dim);
    Tensor prefixKey = random(2, 1, 9, heads, dim);
    Tensor prefixValue = random(3, 1, 9, heads, dim);
    Tensor key = random(4, batch, 5, heads, dim);
    Tensor value = random(5, batch, 5, heads, dim);
    long all = batch * length;
    Tensor outs = scope.allocate(DType.FLOAT32, 2, batch, length, heads, dim);
    Tensor lses = scope.allocate(DType.FLOAT32, 2, heads, batch, length);
    attention
        .call(query.reshape(1, all, heads, dim), prefixKey, prefixValue)
        .out(outs.select(0, 0).reshape(1, all, heads, dim))
        .lse(lses.select(0, 0).reshape(1, heads, all))
        .run();
    Tensor ofSequences = lses.permute(0, 2, 1, 3);
    attention.call(query, key, value).out(outs.select(0, 1)).lse(ofSequences.select(0, 1)).run();
    Tensor out = Merge.create().forward(scope, outs, ofSequences);

    Tensor keys = scope.allocate(DType.FLOAT32, batch, 14, heads, dim);
    keys.slice(1, 0, 9).copyFrom(prefixKey.expand(batch, 9, heads, dim));
    keys.slice(1, 9, 14).copyFrom(key);
    Tensor values = scope.allocate(DType.FLOAT32, batch, 14, heads, dim);
    values.slice(1, 0, 9).copyFrom(prefixValue.expand(batch, 9, heads, dim));
    values.slice(1, 9, 14).copyFrom(value);
    Tensor expected = attention.forward(scope, query, keys, values);
    assertArrayEquals(expected.toFloatArray(), out.toFloatArray(), ROOM);
  }

  @Test
  void viewsGiveWhatDenseTensorsDo() {
    Tensor outs = random(1, 3, 2, 5, 2, 6);
    Tensor lses = random(2, 3, 2, 2, 5);
    float[] expected = Merge.create().forward(scope, outs, lses).toFloatArray();
    Tensor byHead = scope.allocate(DType.FLOAT32, 2, 2, 5, 3, 6).permute(3, 0, 2, 1, 4);
    byHead.copyFrom(outs.toFloatArray());
    Tensor partsInside = scope.allocate(DType.FLOAT32, 2, 2, 3, 5).permute(2, 0, 1, 3);
    partsInside.copyFrom(lses.toFloatArray());
    Tensor out = scope.allocate(DType.FLOAT32, 2, 2, 5, 6).permute(0, 2, 1, 3);
    Merge.create().call(byHead, partsInside).out(out).run();
    assertArrayEquals(expected, out.toFloatArray());
  }

  @Test
  void whatIsWrittenSharesNothing() {
    Tensor outs = outs();
    Tensor lses = lses(1, 2, 3, 4);
    MergeCall call = Merge.create().call(outs, lses);
    refused("out shares memory with outs", () -> call.out(outs.select(0, 1)).run());
    call.out(scope.allocate(DType.FLOAT32, 1, 2, 1, 2));
    refused("lse shares memory with lses", () -> call.lse(lses.select(0, 0)).run());
    Tensor both = scope.allocate(DType.FLOAT32, 4);
    refused(
        "out shares memory with lse",
        () -> call.out(both.reshape(1, 2, 1, 2)).lse(both.slice(0, 1, 3).reshape(1, 1, 2)).run());
    Tensor readOnly =
        Tensor.of(Arena.ofAuto().allocate(16, 64).asReadOnly(), DType.FLOAT32, 1, 2, 1, 2);
    refused("out is over a read-only segment", () -> call.lse(null).out(readOnly).run());
    Tensor twice = scope.allocate(DType.FLOAT32, 1, 1, 1, 2).expand(1, 2, 1, 2);
    refused("the strides of out make elements overlap", () -> call.out(twice).run());
  }

  @Test
  void refusalsNameWhatIsWrong() {
    Merge merge = Merge.create();
    Tensor outs = random(1, 2, 3, 4, 5, 6);
    Tensor lses = random(2, 2, 3, 5, 4);
    refused("expected [P, B, Sq, Hq, Dv]", () -> merge.forward(scope, outs.select(0, 0), lses));
    refused(
        "lses has shape [2, 3, 4, 5], expected [P, B, Hq, Sq] = [2, 3, 5, 4]",
        () -> merge.forward(scope, outs, lses.transpose(2, 3).contiguous(scope)));
    refused(
        "lses is FLOAT16, expected FLOAT32",
        () -> merge.forward(scope, outs, lses.to(scope, DType.FLOAT16)));
    refused(
        "sinks has shape [4], expected [Hq] = [5]",
        () -> merge.call(outs, lses).sinks(random(3, 4)).forward(scope));
    refused(
        "lse has shape [3, 4, 5], expected [B, Hq, Sq] = [3, 5, 4]",
        () -> merge.call(outs, lses).lse(random(4, 3, 4, 5)).forward(scope));
    String wrong =
        refused(
            "out has shape [3, 5, 4, 6], expected [B, Sq, Hq, Dv] = [3, 4, 5, 6]",
            () -> merge.call(outs, lses).out(random(5, 3, 5, 4, 6)).run());
    assertFalse(wrong.contains("permute"), wrong); // parts have no order that would fit
    refused(
        "out is BFLOAT16, expected FLOAT32",
        () -> merge.call(outs, lses).out(scope.allocate(DType.BFLOAT16, 3, 4, 5, 6)).run());
    refused(
        "parts is 0, expected 1 to",
        () -> merge.forward(scope, outs.slice(0, 0, 0), lses.slice(0, 0, 0)));
    refused(
        "valueHeadDim is 513, expected 1 to 512",
        () -> merge.forward(scope, random(6, 1, 1, 1, 1, 513), random(7, 1, 1, 1, 1)));
    refused("outDType is INT32, expected a floating type", () -> merge.outDType(DType.INT32));
    assertThrows(IllegalStateException.class, () -> merge.call(outs, lses).run());
    assertThrows(NullPointerException.class, () -> merge.call(null, lses));
    assertThrows(NullPointerException.class, () -> merge.call(outs, null));
  }

  private static String refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
    return refusal.getMessage();
  }

  @Test
  void whatIsClosedIsRefused() {
    Tensor lses = lses(1, 2, 3, 4);
    Scope other = Scope.open();
    Tensor outs = other.copyOf(new float[8], 2, 1, 2, 1, 2);
    MergeCall call = Merge.create().call(outs, lses).out(scope.allocate(DType.FLOAT32, 1, 2, 1, 2));
    call.run();
    other.close();
    assertThrows(IllegalStateException.class, call::run);
    assertThrows(IllegalStateException.class, () -> Merge.create().call(outs, lses).forward(scope));
  }

  @Test
  void isAValue() {
    assertEquals(Merge.create(), Merge.create());
    assertEquals(Merge.create().hashCode(), Merge.create().hashCode());
    Merge narrow = Merge.create().outDType(DType.FLOAT16);
    assertNotEquals(Merge.create(), narrow);
    assertEquals("Merge", Merge.create().toString());
    assertEquals("Merge[out=FLOAT16]", narrow.toString());
    String text = narrow.call(outs(), lses(1, 2, 3, 4)).toString();
    assertTrue(text.startsWith("MergeCall[Merge[out=FLOAT16], outs "), text);
  }
}
