package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Views: where their elements lie, and that none lies outside its memory. */
class TensorTest {
  private static final MemorySegment MEMORY = Arena.ofAuto().allocate(4096, 64);

  /** Elements 0, 1, 2, … in row-major order. */
  private static Tensor counting(long... shape) {
    Tensor tensor = Tensor.of(Arena.ofAuto().allocate(4096, 64), DType.FLOAT32, shape);
    float[] values = new float[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    return tensor.copyFrom(values);
  }

  private static void assertRefused(String text, Executable code) {
    String message = assertThrows(IllegalArgumentException.class, code).getMessage();
    assertTrue(message.contains(text), message);
  }

  @Test
  void denseTensorsAreRowMajor() {
    Tensor tensor = counting(2, 3, 4);
    assertEquals(DType.FLOAT32, tensor.dtype());
    assertEquals(3, tensor.rank());
    assertEquals(24, tensor.elements());
    assertEquals(3, tensor.size(1));
    assertEquals(12, tensor.stride(0));
    assertArrayEquals(new long[] {2, 3, 4}, tensor.shape());
    assertArrayEquals(new long[] {12, 4, 1}, tensor.strides());
    assertTrue(tensor.isContiguous());
    assertEquals(1 * 12 + 2 * 4 + 3, tensor.getFloat(1, 2, 3));
    assertEquals(96, tensor.segment().byteSize());
    assertEquals(tensor.segment().address(), tensor.address());
    assertSame(Device.cpu(), tensor.device());
  }

  @Test
  void shapesCannotBeChangedFromOutside() {
    long[] shape = {2, 2};
    long[] strides = {2, 1};
    Tensor tensor = Tensor.of(MEMORY, DType.FLOAT32, shape, strides);
    shape[0] = 1 << 20;
    strides[0] = 1 << 20;
    tensor.shape()[0] = 1 << 20;
    tensor.strides()[0] = 1 << 20;
    assertEquals(2, tensor.size(0));
    assertEquals(2, tensor.stride(0));
  }

  @Test
  void permute() {
    Tensor tensor = counting(2, 3, 4, 5).permute(0, 2, 1, 3);
    assertArrayEquals(new long[] {2, 4, 3, 5}, tensor.shape());
    assertArrayEquals(new long[] {60, 5, 20, 1}, tensor.strides());
    assertFalse(tensor.isContiguous());
    assertEquals(60 + 2 * 20 + 3 * 5 + 4, tensor.getFloat(1, 3, 2, 4));
    assertRefused("order [0, 0, 1, 2] is not a permutation", () -> tensor.permute(0, 0, 1, 2));
    assertRefused("order [0, 1] is not a permutation", () -> tensor.permute(0, 1));
    assertRefused("order [0, 1, 2, 4]", () -> tensor.permute(0, 1, 2, 4));
    assertRefused("order [0, 1, 2, -1]", () -> tensor.permute(0, 1, 2, -1));
  }

  @Test
  void sliceAndSelect() {
    Tensor tensor = counting(4, 6);
    Tensor slice = tensor.slice(1, 2, 5);
    assertArrayEquals(new long[] {4, 3}, slice.shape());
    assertFalse(slice.isContiguous());
    assertArrayEquals(
        new float[] {2, 3, 4, 8, 9, 10, 14, 15, 16, 20, 21, 22}, slice.toFloatArray());
    assertEquals((3 * 6 + 3) * 4, slice.segment().byteSize());
    Tensor column = tensor.select(1, 5);
    assertArrayEquals(new long[] {4}, column.shape());
    assertArrayEquals(new float[] {5, 11, 17, 23}, column.toFloatArray());
    Tensor element = column.select(0, 3);
    assertEquals(0, element.rank());
    assertEquals(1, element.elements());
    assertEquals(23, element.getFloat());

    assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(1, 2, 7));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(1, 3, 2));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(-1, 0, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(2, 0, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.select(0, 4));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.select(0, -1));
  }

  @Test
  void emptyViewsAreLegalEverywhere() {
    Tensor tensor = counting(4, 6);
    Tensor behind = tensor.slice(0, 4, 4);
    assertEquals(0, behind.elements());
    assertEquals(0, behind.segment().byteSize());
    assertEquals(0, behind.toFloatArray().length);
    assertTrue(behind.isContiguous());
    Tensor none = Tensor.of(MemorySegment.NULL, DType.FLOAT32, 0, Long.MAX_VALUE);
    assertEquals(0, none.elements());
    none.fill(1).copyFrom(new float[0]);
  }

  @Test
  void reshape() {
    Tensor tensor = counting(4, 6);
    Tensor reshaped = tensor.reshape(2, 2, 3, 2);
    assertEquals(23, reshaped.getFloat(1, 1, 2, 1));
    assertRefused("24 elements, shape [5, 5] has 25", () -> tensor.reshape(5, 5));
    assertRefused(
        "cannot be reshaped to [24] without a copy", () -> tensor.permute(1, 0).reshape(24));
    assertEquals(4, counting(1, 4, 1).permute(2, 1, 0).reshape(4).elements());
  }

  @Test
  void broadcastStridesRepeatElements() {
    Tensor row = Tensor.of(MEMORY, DType.FLOAT32, new long[] {3, 2}, new long[] {0, 1});
    row.copyFrom(new float[] {1, 2, 3, 4, 5, 6});
    assertArrayEquals(new float[] {5, 6, 5, 6, 5, 6}, row.toFloatArray());
    assertEquals(8, row.segment().byteSize());
  }

  @Test
  void memoryThatIsTooSmallIsRefused() {
    MemorySegment small = MEMORY.asSlice(0, 100);
    Tensor.of(small, DType.FLOAT32, 25);
    assertRefused(
        "data has 100 bytes, but FLOAT32[26] with strides [1] needs 104",
        () -> Tensor.of(small, DType.FLOAT32, 26));
    Tensor.of(small, DType.BFLOAT16, 50);
    assertRefused("needs 102", () -> Tensor.of(small, DType.BFLOAT16, 51));
    Tensor.of(small, DType.FLOAT32, new long[] {5, 2}, new long[] {5, 4});
    assertRefused(
        "needs 104", () -> Tensor.of(small, DType.FLOAT32, new long[] {5, 2}, new long[] {5, 5}));
  }

  @Test
  void badSizesAndStridesAreRefused() {
    assertRefused("dimension 1 is negative", () -> Tensor.of(MEMORY, DType.FLOAT32, 2, -1));
    assertRefused(
        "negative strides",
        () -> Tensor.of(MEMORY, DType.FLOAT32, new long[] {2, 2}, new long[] {2, -1}));
    assertRefused(
        "not one for each dimension",
        () -> Tensor.of(MEMORY, DType.FLOAT32, new long[] {2, 2}, new long[] {1}));
    long huge = 1L << 32;
    assertRefused("overflows", () -> Tensor.of(MEMORY, DType.FLOAT32, huge, huge));
    assertRefused("overflows", () -> Tensor.of(MEMORY, DType.FLOAT32, Long.MAX_VALUE));
    assertRefused("overflows", () -> Tensor.of(MEMORY, DType.FLOAT32, 1L << 61));
    assertRefused(
        "overflows",
        () -> Tensor.of(MEMORY, DType.FLOAT32, new long[] {3, 3}, new long[] {1L << 62, 1}));
    assertRefused(
        "overflows",
        () -> Tensor.of(MEMORY, DType.FLOAT32, new long[] {2, 2}, new long[] {1L << 62, 1L << 62}));
  }

  @Test
  void heapMemoryIsRefused() {
    assertRefused(
        "heap segment", () -> Tensor.of(MemorySegment.ofArray(new float[4]), DType.FLOAT32, 4));
    assertRefused("on the heap", () -> Tensor.of(FloatBuffer.allocate(4), 4));
    assertRefused("on the heap", () -> Tensor.of(ByteBuffer.allocate(16), DType.FLOAT32, 4));
  }

  @Test
  void misalignedMemoryIsRefused() {
    assertRefused(
        "not a multiple of the 4 bytes", () -> Tensor.of(MEMORY.asSlice(2), DType.FLOAT32, 4));
    Tensor.of(MEMORY.asSlice(2), DType.FLOAT16, 4);
    assertRefused(
        "not a multiple of the 2 bytes", () -> Tensor.of(MEMORY.asSlice(1), DType.BFLOAT16, 4));
  }

  @Test
  void directBuffersAreSharedFromTheirPosition() {
    ByteBuffer bytes = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
    FloatBuffer floats = bytes.asFloatBuffer();
    floats.position(2);
    Tensor tensor = Tensor.of(floats, 2, 3);
    tensor.setFloat(7, 1, 2);
    assertEquals(7, floats.get(2 + 5));
    assertEquals(
        7,
        Tensor.of(bytes.position(28).order(ByteOrder.nativeOrder()), DType.FLOAT32, 1).getFloat(0));
    assertRefused("needs 60", () -> Tensor.of(floats, 15));
    assertRefused(
        "byte order BIG_ENDIAN", () -> Tensor.of(ByteBuffer.allocateDirect(16), DType.FLOAT32, 4));
    assertRefused(
        "byte order BIG_ENDIAN", () -> Tensor.of(ByteBuffer.allocateDirect(16).asFloatBuffer(), 4));
  }

  @Test
  void ofAddressSeesTheSameMemory() {
    Tensor tensor = counting(2, 3);
    Tensor same =
        Tensor.ofAddress(
            Device.cpu(), tensor.address(), DType.FLOAT32, new long[] {3, 2}, new long[] {1, 3});
    assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, same.toFloatArray());
    assertEquals(24, same.segment().byteSize());
    long[] one = {1};
    assertRefused("address is 0", () -> Tensor.ofAddress(Device.cpu(), 0, DType.FLOAT32, one, one));
    assertRefused(
        "multiple of the 4 bytes",
        () -> Tensor.ofAddress(Device.cpu(), tensor.address() + 2, DType.FLOAT32, one, one));
  }

  @Test
  void copiesFollowTheViewNotTheMemory() {
    Tensor tensor = counting(2, 3);
    Tensor turned = tensor.permute(1, 0);
    assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, turned.toFloatArray());
    turned.copyFrom(new float[] {0, 1, 2, 3, 4, 5});
    assertArrayEquals(new float[] {0, 2, 4, 1, 3, 5}, tensor.toFloatArray());
    Tensor copy = counting(3, 2).copyFrom(turned);
    assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5}, copy.toFloatArray());
    tensor.slice(1, 1, 3).fill(9);
    assertArrayEquals(new float[] {0, 9, 9, 1, 9, 9}, tensor.toFloatArray());
    assertRefused("values has 5 elements", () -> tensor.copyFrom(new float[5]));
    assertRefused("expected shape [2, 3]", () -> tensor.copyFrom(turned));
  }

  @Test
  void integersStayIntegers() {
    Tensor tensor = Tensor.of(Arena.ofAuto().allocate(64, 4), DType.INT32, 2, 2);
    tensor.copyFrom(new int[] {1, 2, 3, Integer.MAX_VALUE});
    assertEquals(Integer.MAX_VALUE, tensor.getInt(1, 1));
    tensor.setInt(-5, 0, 1);
    assertArrayEquals(new int[] {1, 3, -5, Integer.MAX_VALUE}, tensor.permute(1, 0).toIntArray());
    Tensor copy = Tensor.of(Arena.ofAuto().allocate(64, 4), DType.INT32, 2, 2);
    assertArrayEquals(
        new int[] {1, 3, -5, Integer.MAX_VALUE}, copy.copyFrom(tensor.permute(1, 0)).toIntArray());
    assertArrayEquals(new int[] {-3, -3, -3, -3}, tensor.fill(-3).toIntArray());
    assertRefused("value is 0.5, but the tensor is INT32", () -> tensor.fill(0.5f));
    assertRefused("value is NaN, but the tensor is INT32", () -> tensor.fill(Float.NaN));
    assertRefused("INT32", () -> tensor.getFloat(0, 0));
    assertRefused("INT32", () -> tensor.setFloat(1, 0, 0));
    assertRefused("INT32", () -> tensor.copyFrom(new float[4]));
    assertRefused("INT32", tensor::toFloatArray);
    Tensor floats = counting(2, 2);
    assertRefused("FLOAT32", () -> floats.getInt(0, 0));
    assertRefused("FLOAT32", () -> floats.copyFrom(new int[4]));
    assertRefused("FLOAT32", floats::toIntArray);
    assertRefused("INT32 does not convert to FLOAT32", () -> floats.copyFrom(tensor));
  }

  @Test
  void booleansStayBooleans() {
    Tensor tensor = Tensor.of(Arena.ofAuto().allocate(4), DType.BOOL, 2, 2);
    tensor.copyFrom(new boolean[] {true, false, false, false});
    tensor.setBoolean(true, 0, 1);
    assertTrue(tensor.getBoolean(0, 1));
    boolean[] turned = {true, false, true, false};
    assertArrayEquals(turned, tensor.permute(1, 0).toBooleanArray());
    Tensor copy = Tensor.of(Arena.ofAuto().allocate(4), DType.BOOL, 2, 2);
    assertArrayEquals(turned, copy.copyFrom(tensor.permute(1, 0)).toBooleanArray());
    assertTrue(copy.permute(1, 0).allClose(tensor, 0, 0));
    copy.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 0x80);
    assertTrue(copy.getBoolean(0, 0), "any byte but 0 is true");
    assertTrue(copy.permute(1, 0).allClose(tensor, 0, 0));
    assertFalse(copy.allClose(tensor, 0, 0));
    assertTrue(tensor.toString().contains("[[true, true], [false, false]]"), tensor.toString());
    assertArrayEquals(new boolean[] {true, true, true, true}, tensor.fill(1).toBooleanArray());
    assertRefused("value is 2.0, but the tensor is BOOL", () -> tensor.fill(2));
    assertRefused("the tensor is BOOL: use the methods for boolean", () -> tensor.getInt(0, 0));
    assertRefused("BOOL", () -> tensor.setFloat(1, 0, 0));
    assertRefused("BOOL", tensor::toFloatArray);
    assertRefused("values has 3 elements", () -> tensor.copyFrom(new boolean[3]));
    Tensor ints = Tensor.of(Arena.ofAuto().allocate(16, 4), DType.INT32, 2, 2);
    assertRefused("INT32: use the methods for int", () -> ints.copyFrom(new boolean[4]));
    assertRefused("BOOL does not convert to INT32", () -> ints.copyFrom(tensor));
  }

  @Test
  void indicesOutsideAreRefused() {
    Tensor tensor = counting(2, 3);
    for (long[] index : new long[][] {{2, 0}, {0, 3}, {-1, 0}, {0}, {0, 0, 0}}) {
      assertThrows(IndexOutOfBoundsException.class, () -> tensor.getFloat(index));
      assertThrows(IndexOutOfBoundsException.class, () -> tensor.setFloat(0, index));
    }
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.size(2));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.stride(-1));
  }

  @Test
  void aClosedArenaIsAnExceptionNotACrash() {
    Tensor tensor;
    try (Arena arena = Arena.ofConfined()) {
      tensor = Tensor.of(arena.allocate(64, 4), DType.FLOAT32, 4);
    }
    assertThrows(IllegalStateException.class, () -> tensor.getFloat(0));
    assertThrows(IllegalStateException.class, tensor::toFloatArray);
    assertThrows(IllegalStateException.class, () -> tensor.fill(1));
    assertThrows(IllegalStateException.class, () -> counting(4).copyFrom(tensor));
    assertEquals(4, tensor.select(0, 1).segment().byteSize(), "views need no memory");
  }

  @Test
  void onAnotherDeviceOnlyWhereMemoryIsShared() {
    Tensor tensor = counting(4);
    Device other = Device.of(new FakeBackend("other", true));
    assertSame(other, tensor.on(other).device());
    assertEquals(tensor.address(), tensor.on(other).address());
    Device far = Device.of(new FakeBackend("far", false));
    assertRefused("far does not share the memory of cpu", () -> tensor.on(far));
  }

  @Test
  void deviceMemoryIsCopiedNeverRead() {
    FakeBackend backend = new FakeBackend("far", false);
    Device device = Device.of(backend);
    Scope scope = Scope.open(device);
    Tensor tensor = scope.allocate(DType.FLOAT32, 2, 3);
    tensor.copyFrom(new float[] {0, 1, 2, 3, 4, 5});
    assertArrayEquals(new float[] {0, 3, 1, 4, 2, 5}, tensor.permute(1, 0).toFloatArray());
    tensor.select(1, 1).fill(9);
    assertArrayEquals(new float[] {0, 9, 2, 3, 9, 5}, tensor.toFloatArray());
    tensor.setFloat(7, 1, 2);
    assertEquals(7, tensor.getFloat(1, 2));
    assertArrayEquals(
        new float[] {0, 9, 2, 3, 9, 7}, counting(2, 3).copyFrom(tensor).toFloatArray());
    assertTrue(backend.copiesIn > 0 && backend.copiesOut > 0);
    assertThrows(UnsupportedOperationException.class, tensor::segment);
    scope.close();
    assertThrows(IllegalStateException.class, tensor::toFloatArray);
  }

  @Test
  void elementTypes() {
    assertEquals(4, DType.FLOAT32.byteSize());
    assertEquals(2, DType.FLOAT16.byteSize());
    assertEquals(2, DType.BFLOAT16.byteSize());
    assertEquals(4, DType.INT32.byteSize());
    assertEquals(1, DType.BOOL.byteSize());
    assertEquals(0, MEMORY.address() % ValueLayout.JAVA_FLOAT.byteAlignment());
  }
}
