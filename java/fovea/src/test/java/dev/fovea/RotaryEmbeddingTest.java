package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Rows are turned by their positions, whatever way they lie, and turned back. */
class RotaryEmbeddingTest {

  private static final float ROOM = 4e-7f; // of sums of two numbers of up to 4, in float32

  private final Scope scope = Scope.open();

  @BeforeAll
  static void library() {
    NativeTest.requireLibrary();
  }

  @AfterEach
  void close() {
    scope.close();
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

  /** Dense rows [rows, headDim], each with a position. */
  private static float[] turned(
      float[] x, int headDim, int pairs, boolean interleaved, RotaryTables tables, int... at) {
    float[] cosines = tables.cosines().toFloatArray();
    float[] sines = tables.sines().toFloatArray();
    float[] out = x.clone();
    for (int row = 0; row < at.length; row++) {
      for (int pair = 0; pair < pairs; pair++) {
        int a = row * headDim + (interleaved ? 2 * pair : pair);
        int b = interleaved ? a + 1 : a + pairs;
        double cosine = cosines[at[row] * pairs + pair];
        double sine = sines[at[row] * pairs + pair];
        out[a] = (float) (cosine * x[a] - sine * x[b]);
        out[b] = (float) (cosine * x[b] + sine * x[a]);
      }
    }
    return out;
  }

  private static RotaryEmbedding of(boolean interleaved) {
    return interleaved ? RotaryEmbedding.interleaved() : RotaryEmbedding.halfSplit();
  }

  @Test
  void rowsAreTurnedByTheirPlace() {
    RotaryTables tables = RotaryTables.of(scope, 9, 6, RotaryTables.BASE); // more than there are
    Tensor x = random(1, 1, 4, 1, 8);
    for (boolean interleaved : new boolean[] {false, true}) {
      Tensor out = of(interleaved).forward(scope, x, tables);
      assertArrayEquals(x.shape(), out.shape());
      float[] expected = turned(x.toFloatArray(), 8, 3, interleaved, tables, 0, 1, 2, 3);
      assertArrayEquals(expected, out.toFloatArray(), ROOM);
    }
  }

  /** For all sequences or for each, in any order; a decoder's step is at one far position. */
  @Test
  void rowsAreTurnedByPositions() {
    RotaryTables tables = RotaryTables.of(scope, 50, 8, 500);
    Tensor x = random(2, 2, 3, 1, 8);
    RotaryCall call = RotaryEmbedding.halfSplit().call(x, tables);
    float[] rows = x.toFloatArray();
    assertArrayEquals(
        turned(rows, 8, 4, false, tables, 49, 0, 7, 1, 1, 48),
        call.positions(scope.copyOf(new int[] {49, 0, 7, 1, 1, 48}, 2, 3))
            .forward(scope)
            .toFloatArray(),
        ROOM);
    float[] shared = turned(rows, 8, 4, false, tables, 9, 8, 7, 9, 8, 7);
    Tensor one = scope.copyOf(new int[] {9, 8, 7}, 1, 3);
    assertArrayEquals(shared, call.positions(one).forward(scope).toFloatArray(), ROOM);
    assertArrayEquals(
        turned(rows, 8, 4, false, tables, 0, 1, 2, 0, 1, 2),
        call.positions(null).forward(scope).toFloatArray(),
        ROOM);
  }

  /** Tables of two dimensions, one for all, and one for each sequence. */
  @Test
  void tablesAreForAllOrForEach() {
    Tensor x = random(3, 2, 5, 3, 6);
    Tensor cosines = random(4, 5, 3);
    Tensor sines = random(5, 5, 3);
    RotaryEmbedding embedding = RotaryEmbedding.interleaved();
    float[] out = embedding.call(x, cosines, sines).forward(scope).toFloatArray();
    assertArrayEquals(
        out,
        embedding.call(x, cosines.unsqueeze(0), sines.unsqueeze(0)).forward(scope).toFloatArray());
    Tensor each = scope.allocate(DType.FLOAT32, 2, 5, 3);
    for (int b = 0; b < 2; b++) {
      each.select(0, b).copyFrom(b == 0 ? sines.toFloatArray() : random(6, 5, 3).toFloatArray());
    }
    Tensor mixed = embedding.call(x, cosines, each).forward(scope);
    assertArrayEquals(
        embedding.call(x.slice(0, 1, 2), cosines, each.select(0, 1)).forward(scope).toFloatArray(),
        mixed.slice(0, 1, 2).toFloatArray());
    assertArrayEquals(
        embedding.call(x.slice(0, 0, 1), cosines, sines).forward(scope).toFloatArray(),
        mixed.slice(0, 0, 1).toFloatArray());
  }

  /** [B, H, S, D] permuted, and the queries of a projection to queries, keys and values. */
  @Test
  void viewsGiveWhatDenseRowsDo() {
    RotaryTables tables = RotaryTables.of(scope, 5, 8, RotaryTables.BASE);
    Tensor heads = random(7, 2, 3, 5, 10);
    Tensor dense = scope.allocate(DType.FLOAT32, 2, 5, 3, 10);
    dense.copyFrom(heads.permute(0, 2, 1, 3).toFloatArray());
    RotaryEmbedding embedding = RotaryEmbedding.halfSplit();
    float[] expected = embedding.forward(scope, dense, tables).toFloatArray();
    Tensor out = scope.allocate(DType.FLOAT32, 2, 3, 5, 10).permute(0, 2, 1, 3);
    embedding.call(heads.permute(0, 2, 1, 3), tables).out(out).run();
    assertArrayEquals(expected, out.toFloatArray());
    Tensor qkv = random(8, 2, 5, 3, 3, 10);
    qkv.select(2, 1).copyFrom(dense.toFloatArray());
    assertArrayEquals(expected, embedding.forward(scope, qkv.select(2, 1), tables).toFloatArray());
  }

  /** Packed sequences are one, whose positions begin again. */
  @Test
  void packedSequencesAreOne() {
    RotaryTables tables = RotaryTables.of(scope, 4, 6, RotaryTables.BASE);
    Tensor packed = random(9, 7, 2, 6); // of 4 rows and of 3
    RotaryEmbedding embedding = RotaryEmbedding.halfSplit();
    Tensor positions = scope.copyOf(new int[] {0, 1, 2, 3, 0, 1, 2}, 1, 7);
    Tensor out =
        embedding
            .call(packed.unsqueeze(0), tables)
            .positions(positions)
            .forward(scope)
            .select(0, 0);
    Tensor second = embedding.forward(scope, packed.slice(0, 4, 7).unsqueeze(0), tables);
    assertArrayEquals(second.toFloatArray(), out.slice(0, 4, 7).toFloatArray());
  }

  /** Without a run before, of x's type or the caller's, and as the transpose of the forward. */
  @Test
  void theBackwardPassTurnsBack() {
    RotaryTables tables = RotaryTables.of(scope, 5, 6, RotaryTables.BASE);
    Tensor x = random(10, 2, 5, 3, 7);
    for (boolean interleaved : new boolean[] {false, true}) {
      RotaryCall call = of(interleaved).call(x, tables);
      call.positions(scope.copyOf(new int[] {4, 4, 0, 1, 2}, 1, 5));
      Tensor out = call.forward(scope);
      assertArrayEquals(
          x.toFloatArray(), call.gradients(out).backward(scope).toFloatArray(), 2 * ROOM);
      Tensor dx = scope.allocate(DType.BFLOAT16, x.shape());
      assertEquals(dx, call.gradients(out).dx(dx).backward(scope));
      assertArrayEquals(x.toFloatArray(), dx.toFloatArray(), 0x1p-8f);
      call.gradients(out).dx(dx).accumulate(true).deterministic(true).run(); // nothing is added to
      assertArrayEquals(x.toFloatArray(), dx.toFloatArray(), 0x1p-8f);
    }
  }

  @Test
  void outMayHaveAnotherType() {
    RotaryTables tables = RotaryTables.of(scope, 3, 4, RotaryTables.BASE);
    Tensor x = random(11, 1, 3, 2, 4);
    RotaryEmbedding narrow = RotaryEmbedding.halfSplit().outDType(DType.BFLOAT16);
    Tensor out = narrow.forward(scope, x, tables);
    assertEquals(DType.BFLOAT16, out.dtype());
    float[] exact = RotaryEmbedding.halfSplit().forward(scope, x, tables).toFloatArray();
    assertArrayEquals(exact, out.toFloatArray(), 0x1p-8f);
    Tensor dx = narrow.call(x, tables).gradients(out).backward(scope);
    assertEquals(DType.FLOAT32, dx.dtype());
    refused(
        "dout is FLOAT32, expected BFLOAT16",
        () -> narrow.call(x, tables).gradients(x).backward(scope));
  }

  @Test
  void refusalsNameWhatIsWrong() {
    RotaryTables tables = RotaryTables.of(scope, 5, 6, RotaryTables.BASE);
    RotaryEmbedding embedding = RotaryEmbedding.halfSplit();
    Tensor x = random(12, 2, 5, 3, 7);
    refused(
        "x has shape [5, 3, 7], expected [B, S, H, D] = [any, any, any, any]",
        () -> embedding.forward(scope, x.select(0, 0), tables));
    refused(
        "sines has shape [4, 3], expected [P, C] = [5, 3]",
        () ->
            embedding
                .call(x, tables.cosines(), RotaryTables.of(scope, 4, 6, 10).sines())
                .forward(scope));
    refused("pairs", () -> embedding.forward(scope, x, RotaryTables.of(scope, 5, 8, 10)));
    refused("ositionCount", () -> embedding.forward(scope, x, RotaryTables.of(scope, 4, 6, 10)));
    RotaryCall call = embedding.call(x, tables);
    refused(
        "positions has shape [3, 5], expected [B or 1, S] = [2, 5]",
        () -> call.positions(scope.copyOf(new int[15], 3, 5)).forward(scope));
    refused(
        "positions[0, 4] is 5, expected 0 to 4",
        () -> call.positions(scope.copyOf(new int[] {0, 1, 2, 3, 5}, 1, 5)).forward(scope));
    call.positions(null);
    refused("out shares memory with x", () -> call.out(x).run());
    refused(
        "dx has shape [2, 5, 3, 6], expected that of x = [2, 5, 3, 7]",
        () -> call.gradients(x).dx(random(13, 2, 5, 3, 6)).run());
    refused("outDType is BOOL, expected a floating type", () -> embedding.outDType(DType.BOOL));
    assertThrows(IllegalStateException.class, () -> embedding.call(x, tables).run());
    assertThrows(NullPointerException.class, () -> embedding.call(x, null, tables.sines()));
    assertThrows(NullPointerException.class, () -> call.gradients(null));
  }

  private static void refused(String expected, Runnable call) {
    Exception refusal = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
  }

  @Test
  void isAValue() {
    assertEquals(RotaryEmbedding.halfSplit(), RotaryEmbedding.halfSplit());
    assertEquals(
        RotaryEmbedding.interleaved().hashCode(), RotaryEmbedding.interleaved().hashCode());
    assertNotEquals(RotaryEmbedding.halfSplit(), RotaryEmbedding.interleaved());
    RotaryEmbedding narrow = RotaryEmbedding.interleaved().outDType(DType.FLOAT16);
    assertNotEquals(RotaryEmbedding.interleaved(), narrow);
    assertEquals("RotaryEmbedding[half-split]", RotaryEmbedding.halfSplit().toString());
    assertEquals("RotaryEmbedding[interleaved, out=FLOAT16]", narrow.toString());
    RotaryTables tables = RotaryTables.of(scope, 5, 6, RotaryTables.BASE);
    RotaryCall call = narrow.call(random(14, 1, 5, 1, 6), tables);
    String text = call.toString();
    assertTrue(text.startsWith("RotaryCall[RotaryEmbedding[interleaved, out=FLOAT16], x "), text);
    String backward = call.gradients(random(15, 1, 5, 1, 6)).toString();
    assertTrue(backward.startsWith("RotaryBackward[dout "), backward);
  }
}
