package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Conversions of the 16-bit types: to nearest, ties to even, and every special value. */
class RoundingTest {
  private static final MemorySegment MEMORY = Arena.ofAuto().allocate(64, 64);

  private static short store(DType type, float value) {
    Tensor.of(MEMORY, type, 1).setFloat(value, 0);
    return MEMORY.get(ValueLayout.JAVA_SHORT, 0);
  }

  private static float load(DType type, int bits) {
    MEMORY.set(ValueLayout.JAVA_SHORT, 0, (short) bits);
    return Tensor.of(MEMORY, type, 1).getFloat(0);
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "BFLOAT16"})
  void everyValueSurvives(DType type) {
    for (int bits = 0; bits < 0x10000; bits++) {
      float value = load(type, bits);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(load(type, store(type, value))));
      } else {
        assertEquals((short) bits, store(type, value), "bits " + Integer.toHexString(bits));
      }
    }
  }

  /** Against the definition: of the two neighbours the nearer, of two equally near the even one. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "BFLOAT16"})
  void betweenTwoNeighboursTheNearerOne(DType type) {
    Random random = new Random(7);
    int infinity = type == DType.FLOAT16 ? 0x7c00 : 0x7f80;
    for (int bits = 0; bits < infinity - 1; bits++) { // the last gap ends at infinity
      float low = load(type, bits);
      float high = load(type, bits + 1);
      double middle = (low + (double) high) / 2; // exact
      int even = (bits & 1) == 0 ? bits : bits + 1;
      assertEquals((short) even, store(type, (float) middle));
      assertEquals((short) bits, store(type, Math.nextDown((float) middle)));
      assertEquals((short) (bits + 1), store(type, Math.nextUp((float) middle)));
      float any = low + random.nextFloat() * (high - low);
      int nearer = any < middle ? bits : any > middle ? bits + 1 : even;
      assertEquals((short) nearer, store(type, any));
      assertEquals((short) (nearer | 0x8000), store(type, -any));
    }
  }

  @Test
  void specialValuesOfBfloat16() {
    assertEquals((short) 0x7f80, store(DType.BFLOAT16, Float.POSITIVE_INFINITY));
    assertEquals((short) 0xff80, store(DType.BFLOAT16, Float.NEGATIVE_INFINITY));
    assertEquals((short) 0x7f80, store(DType.BFLOAT16, Float.MAX_VALUE), "rounds to infinity");
    assertEquals((short) 0x7f7f, store(DType.BFLOAT16, Float.intBitsToFloat(0x7f7f7fff)));
    assertEquals((short) 0x8000, store(DType.BFLOAT16, -0f));
    assertEquals((short) 0x0000, store(DType.BFLOAT16, Float.MIN_VALUE));
    assertEquals((short) 0x0001, store(DType.BFLOAT16, Float.intBitsToFloat(0x8001)));
    for (int nan : new int[] {0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff, 0x7f80ffff}) {
      short stored = store(DType.BFLOAT16, Float.intBitsToFloat(nan));
      assertTrue(Float.isNaN(load(DType.BFLOAT16, stored)), Integer.toHexString(nan));
    }
  }

  @Test
  void specialValuesOfFloat16() {
    assertEquals((short) 0x7bff, store(DType.FLOAT16, 65519));
    assertEquals((short) 0x7c00, store(DType.FLOAT16, 65520));
    assertEquals((short) 0xfc00, store(DType.FLOAT16, Float.NEGATIVE_INFINITY));
    assertEquals((short) 0x0001, store(DType.FLOAT16, 0x1p-24f));
    assertEquals((short) 0x0000, store(DType.FLOAT16, 0x1p-25f));
    assertTrue(Float.isNaN(load(DType.FLOAT16, store(DType.FLOAT16, Float.NaN))));
  }
}
