package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What makes a tensor of another, or of values, and what a tensor says of itself. */
class TensorViewTest {
  private final Scope scope = Scope.open();

  @AfterEach
  void close() {
    scope.close();
  }

  /** Elements 0, 1, 2, … in row-major order. */
  private Tensor counting(long... shape) {
    float[] values = new float[(int) Layouts.elements(shape)];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    return scope.copyOf(values, shape);
  }

  private static void assertRefused(String text, Executable code) {
    String message = assertThrows(IllegalArgumentException.class, code).getMessage();
    assertTrue(message.contains(text), message);
  }

  @Test
  void transpose() {
    Tensor tensor = counting(2, 3, 4).transpose(0, 2);
    assertArrayEquals(new long[] {4, 3, 2}, tensor.shape());
    assertEquals(1 * 12 + 2 * 4 + 3, tensor.getFloat(3, 2, 1));
    assertArrayEquals(new long[] {4, 3, 2}, tensor.transpose(1, 1).shape());
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.transpose(0, 3));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.transpose(-1, 0));
  }

  @Test
  void unsqueezeAndSqueeze() {
    Tensor tensor = counting(2, 3);
    assertArrayEquals(new long[] {1, 2, 3}, tensor.unsqueeze(0).shape());
    assertArrayEquals(new long[] {2, 1, 3}, tensor.unsqueeze(1).shape());
    Tensor last = tensor.unsqueeze(2);
    assertArrayEquals(new long[] {2, 3, 1}, last.shape());
    assertTrue(last.isContiguous());
    assertEquals(5, last.getFloat(1, 2, 0));
    assertArrayEquals(new long[] {2, 3}, last.squeeze(2).shape());
    assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5}, last.squeeze(2).toFloatArray());
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.unsqueeze(3));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.unsqueeze(-1));
    assertThrows(IndexOutOfBoundsException.class, () -> last.squeeze(3));
    assertRefused("dimension 1 of FLOAT32[2, 3, 1] on cpu has", () -> last.squeeze(1));
    assertEquals(0, counting(1, 0).squeeze(0).elements());
  }

  @Test
  void expandRepeatsWithoutACopy() {
    Tensor row = counting(1, 3);
    Tensor expanded = row.expand(2, 4, -1);
    assertArrayEquals(new long[] {2, 4, 3}, expanded.shape());
    assertArrayEquals(new long[] {0, 0, 1}, expanded.strides());
    assertEquals(row.address(), expanded.address());
    assertEquals(2, expanded.getFloat(1, 3, 2));
    assertArrayEquals(new long[] {1, 3}, row.expand(1, 3).shape());
    assertArrayEquals(new long[] {0, 3}, row.expand(0, 3).shape());
    assertEquals(7, scope.copyOf(new float[] {7}, new long[0]).expand(5).getFloat(4));
    assertRefused("FLOAT32[1, 3] on cpu cannot be expanded to [1, 4]", () -> row.expand(1, 4));
    assertRefused("cannot be expanded to [3]", () -> row.expand(3));
    assertRefused("cannot be expanded to [-1, 1, 3]", () -> row.expand(-1, 1, 3));
    assertRefused("cannot be expanded to [-2, 3]", () -> row.expand(-2, 3));
    assertRefused("overflows", () -> row.expand(1L << 40, 1L << 40, 1, 3));
  }

  @Test
  void reshapeFindsTheOneSizeThatIsLeft() {
    Tensor tensor = counting(4, 6);
    assertArrayEquals(new long[] {2, 3, 4}, tensor.reshape(2, -1, 4).shape());
    assertArrayEquals(new long[] {24}, tensor.reshape(-1).shape());
    assertArrayEquals(new long[] {24, 1}, tensor.reshape(24, -1).shape());
    assertArrayEquals(new long[] {0, 3}, counting(3, 0).reshape(-1, 3).shape());
    assertRefused("24 elements do not fill shape [5, -1]", () -> tensor.reshape(5, -1));
    assertRefused("shape [-1, -1] has more than one -1", () -> tensor.reshape(-1, -1));
    assertRefused("dimension 0 is negative", () -> tensor.reshape(-2, -1));
    assertRefused("0 elements do not fill", () -> counting(3, 0).reshape(0, -1));
  }

  @Test
  void contiguousCopiesOnlyWhatIsNot() {
    Tensor tensor = counting(2, 3);
    assertSame(tensor, tensor.contiguous(scope));
    Tensor turned = tensor.transpose(0, 1).contiguous(scope);
    assertTrue(turned.isContiguous());
    assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, turned.toFloatArray());
    assertArrayEquals(new long[] {6}, turned.reshape(-1).shape());
    Tensor ints = scope.copyOf(new int[] {1, 2, 3, 4}, 2, 2).transpose(0, 1).contiguous(scope);
    assertArrayEquals(new int[] {1, 3, 2, 4}, ints.toIntArray());
  }

  @Test
  void toMakesADenseTensorOfAnotherType() {
    Tensor tensor = counting(2, 3).transpose(0, 1);
    Tensor half = tensor.to(scope, DType.BFLOAT16);
    assertEquals(DType.BFLOAT16, half.dtype());
    assertTrue(half.isContiguous());
    assertArrayEquals(new long[] {3, 2}, half.shape());
    assertArrayEquals(tensor.toFloatArray(), half.toFloatArray());
    Tensor same = half.to(scope, DType.BFLOAT16);
    assertTrue(same.address() != half.address());
    long held = scope.memoryHeld();
    assertRefused("FLOAT32 does not convert to INT32", () -> tensor.to(scope, DType.INT32));
    assertEquals(held, scope.memoryHeld(), "nothing is allocated for what is refused");
  }

  @Test
  void toMovesBetweenDevices() {
    try (Scope far = Scope.open(Device.of(new FakeBackend("far", false)))) {
      Tensor there = counting(2, 3).transpose(0, 1).to(far, DType.FLOAT16);
      assertEquals("far", there.device().name());
      Tensor back = there.transpose(0, 1).to(scope, DType.FLOAT32);
      assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5}, back.toFloatArray());
    }
  }

  @Test
  void valuesOfManyKindsBecomeTensors() {
    float[] values = {1, 2.5f, -3, 1e-3f};
    assertArrayEquals(
        new float[] {1, 2.5f, -3, 9.994507e-4f},
        scope.copyOf(values, DType.BFLOAT16, 2, 2).toFloatArray());
    Tensor doubles = scope.copyOf(new double[] {1, 0.1}, DType.FLOAT32, 2);
    assertArrayEquals(new float[] {1, 0.1f}, doubles.toFloatArray());
    Tensor rows = scope.copyOf(new float[][] {{1, 2, 3}, {4, 5, 6}}, DType.FLOAT32);
    assertArrayEquals(new long[] {2, 3}, rows.shape());
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, rows.toFloatArray());
    Tensor halves = scope.copyOf(new float[][] {{1, 2, 3}, {4, 5, 6}}, DType.FLOAT16);
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, halves.toFloatArray());
    assertArrayEquals(new long[] {0, 0}, scope.copyOf(new float[0][], DType.FLOAT16).shape());
    assertArrayEquals(new long[] {2, 0}, scope.copyOf(new float[2][0], DType.FLOAT16).shape());
    short[] bits = {0x3c00, 0x4000};
    Tensor raw = scope.copyOf(MemorySegment.ofArray(bits), DType.FLOAT16, 2);
    assertArrayEquals(new float[] {1, 2}, raw.toFloatArray());
    ByteBuffer buffer = ByteBuffer.allocate(12).order(ByteOrder.nativeOrder());
    buffer.putInt(7).putFloat(1.5f).putFloat(2.5f).flip().position(4);
    Tensor buffered = scope.copyOf(MemorySegment.ofBuffer(buffer), DType.FLOAT32, 2);
    assertArrayEquals(new float[] {1.5f, 2.5f}, buffered.toFloatArray());
  }

  @Test
  void nothingIsAllocatedForValuesThatDoNotFit() {
    short[] bits = new short[5];
    assertRefused("values has 3 elements, shape [2] has 2", () -> scope.copyOf(new float[3], 2));
    assertRefused("values has 3", () -> scope.copyOf(new double[3], DType.FLOAT16, 2));
    assertRefused("values has 3", () -> scope.copyOf(new int[3], 2));
    assertRefused(
        "values has 5", () -> scope.copyOf(MemorySegment.ofArray(bits), DType.FLOAT16, 2));
    assertRefused("INT32", () -> scope.copyOf(new float[2], DType.INT32, 2));
    assertRefused("INT32", () -> scope.copyOf(new double[2], DType.INT32, 2));
    assertRefused("INT32", () -> scope.copyOf(new float[2][2], DType.INT32));
    assertRefused(
        "row 1 has 1 values, row 0 has 2",
        () -> scope.copyOf(new float[][] {{1, 2}, {3}}, DType.FLOAT32));
    assertEquals(0, scope.memoryHeld());
  }

  @Test
  void layoutsGiveTheSameViewOverOtherMemory() {
    Tensor tokens = scope.allocate(Layout.BSHD, DType.FLOAT32, 2, 3, 4, 5);
    assertArrayEquals(new long[] {2, 3, 4, 5}, tokens.shape());
    assertArrayEquals(new long[] {60, 20, 5, 1}, tokens.strides());
    Tensor heads = scope.allocate(Layout.BHSD, DType.FLOAT32, 2, 3, 4, 5);
    assertArrayEquals(new long[] {2, 3, 4, 5}, heads.shape());
    assertArrayEquals(new long[] {60, 5, 15, 1}, heads.strides());
  }

  @Test
  void smallTensorsShowTheirValues() {
    assertEquals(
        "FLOAT32[2, 3] on cpu [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]", counting(2, 3).toString());
    assertEquals(
        "FLOAT32[3, 2] strides [1, 3] on cpu [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]",
        counting(2, 3).transpose(0, 1).toString());
    assertEquals("FLOAT32[] on cpu 3.0", counting(5).select(0, 3).toString());
    assertEquals("INT32[2] on cpu [-1, 7]", scope.copyOf(new int[] {-1, 7}, 2).toString());
    assertEquals("FLOAT32[6] on cpu [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]", counting(6).toString());
    assertEquals("FLOAT32[7] on cpu [0.0, 1.0, 2.0, …, 4.0, 5.0, 6.0]", counting(7).toString());
    assertEquals(
        "FLOAT32[100000] on cpu [0.0, 1.0, 2.0, …, 99997.0, 99998.0, 99999.0]",
        counting(100_000).toString());
    assertEquals("FLOAT32[4, 5, 6] on cpu", counting(4, 5, 6).toString());
    assertEquals("FLOAT32[0, 3] on cpu", counting(0, 3).toString());
  }

  @Test
  void whatCannotBeReadShowsNoValues() throws Exception {
    Scope other = Scope.open();
    Tensor closed = other.allocate(DType.FLOAT32, 2);
    other.close();
    assertEquals("FLOAT32[2] on cpu", closed.toString());

    Tensor ofClosedArena;
    Tensor confined;
    List<String> elsewhere = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      confined = Tensor.of(arena.allocate(8, 8), DType.FLOAT32, 2);
      ofClosedArena = Scope.over(arena).allocate(DType.FLOAT32, 2);
      assertEquals("FLOAT32[2] on cpu [0.0, 0.0]", confined.toString());
      Thread thread = new Thread(() -> elsewhere.add(confined.toString()));
      thread.start();
      thread.join();
    }
    assertEquals(List.of("FLOAT32[2] on cpu"), elsewhere);
    assertEquals("FLOAT32[2] on cpu", confined.toString());
    assertEquals("FLOAT32[2] on cpu", ofClosedArena.toString());

    try (Scope far = Scope.open(Device.of(new FakeBackend("far", false)))) {
      assertEquals("FLOAT32[2] on far", far.allocate(DType.FLOAT32, 2).toString());
    }

    long[] two = {2};
    long[] one = {1};
    Tensor unknown = Tensor.ofAddress(Device.cpu(), 4096, DType.FLOAT32, two, one);
    assertEquals("FLOAT32[2] on cpu", unknown.toString(), "that address would crash");
  }

  @Test
  void messagesHaveNoValues() {
    Tensor tensor = counting(2, 2);
    assertRefused(
        "values has 3 elements, FLOAT32[2, 2] on cpu has 4", () -> tensor.copyFrom(new float[3]));
    assertRefused("other is FLOAT32[4] on cpu, expected", () -> tensor.copyFrom(counting(4)));
  }
}
