package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class OpenBlasTest {

  @Test
  void multipliesEveryWay() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = matrix(arena, 1, 2, 3, 4, 5, 6); // 2 x 3
      MemorySegment b = matrix(arena, 1, 0, 2, 1, 0, 3); // 3 x 2, or 2 x 3 to be transposed
      MemorySegment c = matrix(arena, 1, 1, 1, 1);
      OpenBlas.sgemm(false, false, 2, 2, 3, 1, a, 3, b, 2, 0, c, 2);
      assertMatrix(c, 5, 11, 14, 23);
      OpenBlas.sgemm(false, true, 2, 2, 3, 2, a, 3, b, 3, 1, c, 2);
      assertMatrix(c, 5 + 14, 11 + 20, 14 + 32, 23 + 44);
      MemorySegment d = matrix(arena, new float[9]);
      OpenBlas.sgemm(true, false, 3, 3, 2, 1, a, 3, b, 3, 0, d, 3);
      assertMatrix(d, 5, 0, 14, 7, 0, 19, 9, 0, 24);
    }
    assertTrue(OpenBlas.config().contains("OpenBLAS"), OpenBlas.config());
  }

  @Test
  void multipliesVectors() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = matrix(arena, 1, 2, 9, 3, 4, 9, 5, 6); // 3 x 2 with gaps
      MemorySegment x = matrix(arena, 1, 10);
      MemorySegment y = matrix(arena, 1, 1, 1);
      OpenBlas.sgemv(3, 2, a, 3, x, 1, y);
      assertMatrix(y, 22, 44, 66);
      OpenBlas.sgemv(3, 2, a, 3, x, 0, y);
      assertMatrix(y, 21, 43, 65);
      assertThrows(
          IndexOutOfBoundsException.class, () -> OpenBlas.sgemv(3, 2, a, 3, x, 0, y.asSlice(4)));
      assertThrows(IndexOutOfBoundsException.class, () -> OpenBlas.sgemv(3, 2, a, 4, x, 0, y));
    }
  }

  @Test
  void sumsProductsInFloat64() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment x = matrix(arena, 3e4f, 1, 2, 3);
      assertEquals(9e8 + 14, OpenBlas.dsdot(4, x, x));
      assertThrows(IndexOutOfBoundsException.class, () -> OpenBlas.dsdot(5, x, x));
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment four = matrix(arena, 1, 2, 3, 4);
      MemorySegment three = four.asSlice(0, 12);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> OpenBlas.sgemm(false, false, 2, 2, 2, 1, three, 2, four, 2, 0, four, 2));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> OpenBlas.sgemm(false, false, 2, 2, 2, 1, four, 1, four, 2, 0, four, 2));
    }
  }

  private static MemorySegment matrix(Arena arena, float... values) {
    return arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
  }

  private static void assertMatrix(MemorySegment matrix, float... values) {
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i], matrix.getAtIndex(ValueLayout.JAVA_FLOAT, i));
    }
  }
}
