package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Rows come by their ids, with their positions, and gradients go back to them. */
class EmbeddingLookupTest {

  private final Scope scope = Scope.open();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor rows(int... values) {
    float[] all = new float[values.length];
    for (int i = 0; i < all.length; i++) {
      all[i] = values[i];
    }
    return scope.copyOf(all, values.length / 2, 2);
  }

  private Tensor ids(int... ids) {
    return scope.copyOf(ids, 2, ids.length / 2);
  }

  @Test
  void rowsComeByTheirIds() {
    Tensor table = rows(1, 2, 3, 4, 5, 6);
    Tensor out = EmbeddingLookup.create().forward(scope, table, ids(2, 0, 2, 1));
    assertArrayEquals(new long[] {2, 2, 2}, out.shape());
    assertArrayEquals(new float[] {5, 6, 1, 2, 5, 6, 3, 4}, out.toFloatArray());
    out = EmbeddingLookup.create().scale(-3).forward(scope, table, ids(2, 0, 2, 1));
    assertArrayEquals(new float[] {-15, -18, -3, -6, -15, -18, -9, -12}, out.toFloatArray());
  }

  /** Row s, or those that are named, for all sequences or for each. */
  @Test
  void positionsAreAdded() {
    EmbeddingLookupCall call =
        EmbeddingLookup.create().scale(2).call(rows(1, 2, 3, 4), ids(1, 0, 1, 0));
    call.positions(rows(10, 20, 30, 40, 50, 60)); // more than there are
    assertArrayEquals(
        new float[] {16, 28, 32, 44, 16, 28, 32, 44}, call.forward(scope).toFloatArray());
    call.positionIds(scope.copyOf(new int[] {2, 1}, 1, 2));
    assertArrayEquals(
        new float[] {56, 68, 32, 44, 56, 68, 32, 44}, call.forward(scope).toFloatArray());
    call.positionIds(ids(2, 1, 0, 0));
    assertArrayEquals(
        new float[] {56, 68, 32, 44, 16, 28, 12, 24}, call.forward(scope).toFloatArray());
    call.positions(null).positionIds(null);
    assertArrayEquals(new float[] {6, 8, 2, 4, 6, 8, 2, 4}, call.forward(scope).toFloatArray());
  }

  /** Without a run before, without reading either table. */
  @Test
  void gradientsGoBackToRows() {
    Tensor table = rows(1, 2, 3, 4, 5, 6).fill(Float.NaN);
    EmbeddingLookup lookup = EmbeddingLookup.create().scale(2);
    Tensor dout = scope.copyOf(new float[] {1, 2, 10, 20, 100, 200, 3, 4}, 2, 2, 2);
    EmbeddingLookupCall call = lookup.call(table, ids(2, 0, 2, 2));
    assertArrayEquals(
        new float[] {20, 40, 0, 0, 208, 412}, call.gradients(dout).backward(scope).toFloatArray());
    Tensor dpositions = rows(9, 9, 9, 9, 9, 9);
    call.positions(rows(0, 0, 0, 0, 0, 0)).gradients(dout).dpositions(dpositions).run();
    assertArrayEquals(new float[] {101, 202, 13, 24, 0, 0}, dpositions.toFloatArray());
    call.positionIds(ids(2, 2, 1, 2)).gradients(dout).dpositions(dpositions).run();
    assertArrayEquals(new float[] {0, 0, 100, 200, 14, 26}, dpositions.toFloatArray());
  }

  @Test
  void paddingHasNoGradient() {
    Tensor table = rows(1, 2, 3, 4, 5, 6);
    EmbeddingLookupCall call = EmbeddingLookup.create().padding(2).call(table, ids(2, 0, 2, 1));
    assertArrayEquals(new float[] {5, 6, 1, 2, 5, 6, 3, 4}, call.forward(scope).toFloatArray());
    Tensor dout = scope.copyOf(new float[] {1, 2, 10, 20, 100, 200, 3, 4}, 2, 2, 2);
    dout.setFloat(Float.NaN, 0, 0, 0);
    EmbeddingLookupBackward backward = call.gradients(dout);
    assertArrayEquals(new float[] {10, 20, 3, 4, 0, 0}, backward.backward(scope).toFloatArray());
    Tensor dtable = rows(7, 7, 7, 7, 7, 7);
    backward.dtable(dtable).accumulate(true).run();
    assertArrayEquals(new float[] {17, 27, 10, 11, 7, 7}, dtable.toFloatArray());
    assertEquals(dtable, backward.backward(scope));
  }

  /** Gradients are float32 whatever the tables are. */
  @Test
  void outMayHaveAnotherType() {
    Tensor table = rows(1, 2, 3, 4).to(scope, DType.BFLOAT16);
    Tensor ids = ids(1, 0, 1, 0);
    assertEquals(DType.BFLOAT16, EmbeddingLookup.create().forward(scope, table, ids).dtype());
    EmbeddingLookup wide = EmbeddingLookup.create().outDType(DType.FLOAT32);
    Tensor out = wide.forward(scope, table, ids);
    assertArrayEquals(new float[] {3, 4, 1, 2, 3, 4, 1, 2}, out.toFloatArray());
    assertEquals(DType.FLOAT32, out.dtype());
    Tensor dtable = wide.call(table, ids).gradients(out).backward(scope);
    assertEquals(DType.FLOAT32, dtable.dtype());
    assertArrayEquals(new float[] {2, 4, 6, 8}, dtable.toFloatArray());
    refused(
        "dout is FLOAT32, expected BFLOAT16",
        () -> EmbeddingLookup.create().call(table, ids).gradients(out).backward(scope));
    refused(
        "dtable is BFLOAT16, expected FLOAT32",
        () -> wide.call(table, ids).gradients(out).dtable(table.to(scope, DType.BFLOAT16)).run());
  }

  @Test
  void refusalsNameWhatIsWrong() {
    EmbeddingLookup lookup = EmbeddingLookup.create();
    Tensor table = rows(1, 2, 3, 4);
    refused("ids[1, 0] is 2, expected 0 to 1", () -> lookup.forward(scope, table, ids(0, 1, 2, 0)));
    refused("scale is NaN, expected a finite number", () -> lookup.scale(Double.NaN));
    refused("scale is 1.0E39, expected a finite number", () -> lookup.scale(1e39));
    refused("padding is -1, expected 0 or more", () -> lookup.padding(-1));
    refused(
        "padding is 2, expected less than vocabulary, which is 2",
        () -> lookup.padding(2).forward(scope, table, ids(0, 1)));
    refused("outDType is BOOL, expected a floating type", () -> lookup.outDType(DType.BOOL));
    EmbeddingLookupCall call = lookup.call(table, ids(0, 1));
    assertThrows(IllegalStateException.class, call::run);
    assertThrows(NullPointerException.class, () -> lookup.call(table, null));
    assertThrows(NullPointerException.class, () -> call.gradients(null));
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void isAValue() {
    EmbeddingLookup plain = EmbeddingLookup.create();
    assertEquals(plain, EmbeddingLookup.create());
    assertEquals(plain.scale(2).hashCode(), EmbeddingLookup.create().scale(2).hashCode());
    assertNotEquals(plain, plain.scale(2));
    assertNotEquals(plain, plain.padding(0));
    assertNotEquals(plain, plain.outDType(DType.FLOAT16));
    assertEquals("EmbeddingLookup[scale=1.0]", plain.toString());
    EmbeddingLookup all = plain.padding(3).outDType(DType.FLOAT16).scale(0.5);
    assertEquals("EmbeddingLookup[scale=0.5, padding=3, out=FLOAT16]", all.toString());
    EmbeddingLookupCall call = plain.call(rows(1, 2), ids(0, 0));
    String text = call.toString();
    assertTrue(text.startsWith("EmbeddingLookupCall[EmbeddingLookup[scale=1.0], table "), text);
    String backward = call.gradients(rows(1, 2)).toString();
    assertTrue(backward.startsWith("EmbeddingLookupBackward[dout "), backward);
  }
}
