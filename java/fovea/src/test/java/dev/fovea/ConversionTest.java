package dev.fovea;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole tensors are converted as their elements are one by one, bit for bit. */
class ConversionTest {
  private static final DType[] FLOATS = {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16};

  static Stream<Arguments> pairs() {
    return Stream.of(FLOATS).flatMap(from -> Stream.of(FLOATS).map(to -> Arguments.of(from, to)));
  }

  private static Tensor tensor(DType type, long... shape) {
    long bytes = Math.max(1, Layouts.elements(shape)) * type.byteSize();
    return Tensor.of(Arena.ofAuto().allocate(bytes, 64), type, shape);
  }

  private static int bits(Tensor tensor, long index) {
    return tensor.dtype().byteSize() == 2
        ? tensor.segment().getAtIndex(ValueLayout.JAVA_SHORT, index) & 0xffff
        : tensor.segment().getAtIndex(ValueLayout.JAVA_INT, index);
  }

  /**
   * Of 16-bit types all patterns. Of float32 each upper half with lower halves around what ties of
   * both 16-bit types have there, and others at random.
   */
  private static Tensor everything(DType type) {
    if (type != DType.FLOAT32) {
      Tensor all = tensor(type, 1 << 16);
      for (int i = 0; i < 1 << 16; i++) {
        all.segment().setAtIndex(ValueLayout.JAVA_SHORT, i, (short) i);
      }
      return all;
    }
    int[] lower = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x0fff, 0x1000, 0x1001, 0x3000, 0x2fff};
    int random = 5;
    Tensor all = tensor(type, 1 << 16, lower.length + random);
    Random bits = new Random(11);
    long next = 0;
    for (int upper = 0; upper < 1 << 16; upper++) {
      for (int i = 0; i < lower.length + random; i++) {
        int half = i < lower.length ? lower[i] : bits.nextInt(1 << 16);
        all.segment().setAtIndex(ValueLayout.JAVA_INT, next++, upper << 16 | half);
      }
    }
    return all.reshape(-1);
  }

  private static void assertBits(Tensor from, Tensor expected, Tensor actual) {
    long mismatch = expected.segment().mismatch(actual.segment());
    if (mismatch >= 0) {
      long i = mismatch / expected.dtype().byteSize();
      assertEquals(
          Integer.toHexString(bits(expected, i)),
          Integer.toHexString(bits(actual, i)),
          "of " + Integer.toHexString(bits(from, i)));
    }
  }

  /** Often enough that what is compared last was compiled, whatever it was first. */
  @ParameterizedTest
  @MethodSource("pairs")
  void everyPatternConvertsAsItDoesAlone(DType type, DType other) {
    Tensor from = everything(type);
    Tensor expected = tensor(other, from.elements());
    if (type == other) {
      expected.segment().copyFrom(from.segment());
    } else {
      for (long i = 0; i < from.elements(); i++) {
        expected.setFloat(from.getFloat(i), i);
      }
    }
    Tensor actual = tensor(other, from.elements());
    for (int round = 0; round < 4 + (20 << 16) / from.elements(); round++) {
      actual.segment().fill((byte) 0x55);
      assertBits(from, expected, actual.copyFrom(from));
    }
    if (type == DType.FLOAT32) {
      float[] values = from.segment().toArray(ValueLayout.JAVA_FLOAT);
      actual.segment().fill((byte) 0x55);
      assertBits(from, expected, actual.copyFrom(values));
    }
    if (other == DType.FLOAT32) {
      assertBits(from, expected, tensor(other, from.elements()).copyFrom(from.toFloatArray()));
    }
  }

  /** Rows shorter and longer than a block, single elements, gaps, and dimensions out of order. */
  private static Stream<Tensor[]> views(DType type, DType other) {
    return Stream.of(
        new Tensor[] {tensor(type, 7, 13), tensor(other, 7, 13)},
        new Tensor[] {tensor(type, 3, 5, 40).slice(2, 1, 38), tensor(other, 3, 5, 37)},
        new Tensor[] {tensor(type, 3, 5, 37), tensor(other, 3, 5, 40).slice(2, 2, 39)},
        new Tensor[] {tensor(type, 4, 2600).slice(1, 3, 2600), tensor(other, 4, 2597)},
        new Tensor[] {
          tensor(type, 2, 3, 17, 20).permute(0, 2, 1, 3),
          tensor(other, 2, 17, 3, 24).slice(3, 0, 20)
        },
        new Tensor[] {tensor(type, 61, 43).transpose(0, 1), tensor(other, 43, 61)},
        new Tensor[] {tensor(type, 43, 61), tensor(other, 61, 43).transpose(0, 1)},
        new Tensor[] {tensor(type, 300, 1, 9).select(2, 4), tensor(other, 300, 2).slice(1, 1, 2)},
        new Tensor[] {tensor(type, 1, 31).expand(4, 31), tensor(other, 4, 31)},
        new Tensor[] {tensor(type, 31, 1).expand(31, 6), tensor(other, 31, 6)},
        new Tensor[] {tensor(type), tensor(other)},
        new Tensor[] {tensor(type, 5, 0, 3), tensor(other, 5, 0, 3)});
  }

  @ParameterizedTest
  @MethodSource("pairs")
  void viewsConvertElementByElement(DType type, DType other) {
    Random random = new Random(3);
    views(type, other)
        .forEach(
            pair -> {
              Tensor from = pair[0];
              Tensor to = pair[1];
              for (long i = 0; i < from.segment().byteSize() / type.byteSize(); i++) {
                Tensor.of(from.segment(), type, i + 1).setFloat(random.nextFloat() - 0.5f, i);
              }
              to.segment().fill((byte) 0x3a);
              byte[] before = to.segment().toArray(ValueLayout.JAVA_BYTE);
              assertTrue(to.copyFrom(from).allClose(from, 0x1p-7, 0x1p-24), from + " " + to);
              float[] values = from.toFloatArray();
              long[] index = new long[from.rank()];
              for (float value : values) {
                assertEquals(value, from.getFloat(index), from.toString());
                float expected = tensor(other, 1).copyFrom(new float[] {value}).getFloat(0);
                assertEquals(expected, to.getFloat(index), to.toString());
                next(index, from.shape());
              }
              to.copyFrom(values);
              index = new long[from.rank()];
              byte[] after = to.segment().toArray(ValueLayout.JAVA_BYTE);
              to.fill(0);
              for (int i = 0; i < values.length; i++) {
                assertEquals(0, to.getFloat(index));
                next(index, from.shape());
              }
              byte[] cleared = to.segment().toArray(ValueLayout.JAVA_BYTE);
              for (int i = 0; i < before.length; i++) { // what is between stays
                assertTrue(cleared[i] == 0 || cleared[i] == before[i] && after[i] == before[i]);
              }
            });
  }

  private static void next(long[] index, long[] shape) {
    for (int dim = index.length - 1; dim >= 0 && ++index[dim] == shape[dim]; dim--) {
      index[dim] = 0;
    }
  }

  @Test
  void bitsWithinATypeStayAsTheyAre() {
    Tensor nans = tensor(DType.BFLOAT16, 2, 20);
    MemorySegment memory = nans.segment();
    for (int i = 0; i < 40; i++) {
      memory.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (0x7f81 + i)); // signalling ones
    }
    Tensor turned = tensor(DType.BFLOAT16, 20, 2).copyFrom(nans.transpose(0, 1));
    for (int i = 0; i < 40; i++) {
      assertEquals(0x7f81 + i, bits(turned, i % 20 * 2 + i / 20));
    }
  }

  @Test
  void integersAreCopiedWhateverTheirLayout() {
    int[] values = new Random(5).ints(3000).toArray();
    Tensor tensor = tensor(DType.INT32, 1500, 2).copyFrom(values);
    assertArrayEquals(values, tensor.toIntArray());
    Tensor wide = tensor(DType.INT32, 1500, 5);
    assertArrayEquals(values, wide.slice(1, 2, 4).copyFrom(tensor).toIntArray());
    assertEquals(values[2999], wide.getInt(1499, 3));
    assertEquals(0, wide.getInt(1499, 4));
    assertArrayEquals(new int[] {-7, -7}, tensor.slice(0, 3, 4).fill(-7).reshape(2).toIntArray());
    assertEquals(values[5], tensor.getInt(2, 1));
  }

  /** Rows of two elements are copied one by one, those of ten at once. */
  @Test
  void booleansAreCopiedWhateverTheirLayout() {
    Random random = new Random(6);
    for (int width : new int[] {2, 10}) {
      boolean[] values = new boolean[300 * width];
      for (int i = 0; i < values.length; i++) {
        values[i] = random.nextBoolean();
      }
      Tensor dense = tensor(DType.BOOL, 300, width).copyFrom(values);
      assertArrayEquals(values, dense.toBooleanArray());
      Tensor wide = tensor(DType.BOOL, 300, 12).fill(0);
      Tensor inside = wide.slice(1, 1, 1 + width).copyFrom(dense);
      assertArrayEquals(values, inside.toBooleanArray());
      assertEquals(values[values.length - 1], wide.getBoolean(299, width));
      for (int row = 0; row < 300; row++) {
        assertFalse(wide.getBoolean(row, 0) || wide.getBoolean(row, width + 1));
      }
    }
  }

  /** (float) first would round 1 + 2^-8 + 2^-40 to a tie, and that to even. */
  @Test
  void doublesAreRoundedOnce() {
    double[] values = {
      1 + 0x1p-8 + 0x1p-40,
      1 + 0x1p-8 - 0x1p-40,
      1 + 0x1p-8,
      -1 - 0x1p-11 - 0x1p-40,
      0x1p-25 + 0x1p-60,
      -0.0,
      Double.NaN,
      1e300,
      Double.NEGATIVE_INFINITY,
      Double.MIN_VALUE,
      0.1
    };
    float[] bfloat16 = tensor(DType.BFLOAT16, values.length).copyFrom(values).toFloatArray();
    assertEquals(1 + 0x1p-7f, bfloat16[0]);
    assertEquals(1, bfloat16[1]);
    assertEquals(1, bfloat16[2]);
    float[] float16 = tensor(DType.FLOAT16, values.length).copyFrom(values).toFloatArray();
    assertEquals(-1 - 0x1p-10f, float16[3]);
    assertEquals(0x1p-24f, float16[4]);
    float[] float32 = tensor(DType.FLOAT32, values.length).copyFrom(values).toFloatArray();
    for (float[] all : new float[][] {bfloat16, float16, float32}) {
      assertEquals(-0f, all[5]);
      assertEquals(Float.NaN, all[6]);
      assertEquals(Float.POSITIVE_INFINITY, all[7]);
      assertEquals(Float.NEGATIVE_INFINITY, all[8]);
      assertEquals(0f, all[9]);
    }
    assertEquals(0.1f, float32[10]);
  }

  /** Against the definition: of the two neighbours the nearer, of two equally near the even one. */
  @ParameterizedTest
  @EnumSource(names = {"FLOAT32", "FLOAT16", "BFLOAT16"})
  void manyDoublesAreRoundedToTheNearest(DType type) {
    Random random = new Random(9);
    double[] values = new double[5000];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextGaussian() * Math.pow(2, random.nextInt(-20, 12));
    }
    Tensor rounded = tensor(type, values.length).copyFrom(values);
    for (int i = 0; i < values.length; i++) {
      Tensor neighbours = tensor(type, 3);
      for (int n = 0; n < 3; n++) {
        int bits = bits(rounded, i) + n - 1;
        if (type == DType.FLOAT32) {
          neighbours.segment().setAtIndex(ValueLayout.JAVA_INT, n, bits);
        } else {
          neighbours.segment().setAtIndex(ValueLayout.JAVA_SHORT, n, (short) bits);
        }
      }
      double error = Math.abs(rounded.getFloat(i) - values[i]);
      for (int n = 0; n < 3; n += 2) {
        double other = Math.abs(neighbours.getFloat(n) - values[i]);
        boolean none = Double.isNaN(other); // before zero
        assertTrue(none || error < other || error == other && bits(rounded, i) % 2 == 0);
      }
    }
  }

  @Test
  void valuesThatOverflowBecomeInfinities() {
    float[] values = {65519, 65520, -1e6f, 3.4e38f};
    assertArrayEquals(
        new float[] {65504, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 1 / 0f},
        tensor(DType.FLOAT16, 4).copyFrom(values).toFloatArray());
  }

  @Test
  void elementsOfTheOwnTypeComeFromAnywhere() {
    short[] bits = {0x3f80, 0x4000, 0x4040, 0x7f81, (short) 0x8000, 0x4080};
    Tensor tensor = tensor(DType.BFLOAT16, 2, 3).copyFrom(MemorySegment.ofArray(bits));
    assertArrayEquals(bits, tensor.segment().toArray(ValueLayout.JAVA_SHORT));
    byte[] bytes = new byte[1 + 2 * bits.length]; // at an odd offset
    MemorySegment odd = MemorySegment.ofArray(bytes).asSlice(1);
    odd.copyFrom(MemorySegment.ofArray(bits));
    Tensor gaps = tensor(DType.BFLOAT16, 2, 5).slice(1, 1, 4).copyFrom(odd);
    assertEquals(2, gaps.getFloat(0, 1));
    assertEquals(4, gaps.getFloat(1, 2));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> tensor.copyFrom(MemorySegment.ofArray(new short[5])))
            .getMessage();
    assertEquals("elements has 10 bytes, those of BFLOAT16[2, 3] on cpu are 12", message);
  }

  @Test
  void closeIsNearInValueWhateverTheType() {
    Tensor ours = tensor(DType.FLOAT32, 2, 2).copyFrom(new float[] {1, -2, 100, 0});
    Tensor other = tensor(DType.BFLOAT16, 2, 2).copyFrom(new float[] {1.0078125f, -2, 101, 0});
    assertTrue(ours.allClose(other, 0.01, 0));
    assertFalse(ours.allClose(other, 0.001, 0.1));
    assertTrue(ours.allClose(other, 0, 1));
    assertTrue(ours.allClose(ours.transpose(0, 1).transpose(0, 1), 0, 0));
    assertFalse(ours.allClose(ours.transpose(0, 1), 0, 0));
    assertThrows(
        IllegalArgumentException.class, () -> ours.allClose(tensor(DType.FLOAT32, 4), 1, 1));
    Tensor infinite = tensor(DType.FLOAT32, 1).fill(Float.POSITIVE_INFINITY);
    assertTrue(infinite.allClose(tensor(DType.FLOAT16, 1).copyFrom(infinite), 0, 0));
    assertFalse(infinite.allClose(tensor(DType.FLOAT32, 1).fill(-1 / 0f), 1, 1));
    assertFalse(tensor(DType.FLOAT32, 1).fill(1).allClose(infinite, 1, 1));
    Tensor nan = tensor(DType.FLOAT32, 1).fill(Float.NaN);
    assertFalse(nan.allClose(nan, 1, 1));
    Tensor last = tensor(DType.FLOAT16, 5000);
    assertFalse(last.allClose(tensor(DType.FLOAT32, 5000).select(0, 0).fill(1).expand(5000), 0, 0));
    Tensor different = tensor(DType.FLOAT16, 5000);
    different.setFloat(1, 4999);
    assertFalse(last.allClose(different, 0, 0.5));
    Tensor ints = tensor(DType.INT32, 2).copyFrom(new int[] {Integer.MAX_VALUE, 1});
    assertFalse(
        ints.allClose(tensor(DType.INT32, 2).copyFrom(new int[] {Integer.MAX_VALUE - 1, 1}), 0, 0));
  }
}
