package dev.fovea.testkit;

import dev.fovea.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Number formats, independently of the product: conversions, unit roundoffs and the bit patterns
 * that mark memory nobody may read or write.
 */
public final class Rounding {

  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private Rounding() {}

  /** The largest relative error of rounding to nearest: half a unit in the last place of 1. */
  public static double unit(DType type) {
    return switch (type) {
      case FLOAT32 -> 0x1p-24;
      case FLOAT16 -> 0x1p-11;
      case BFLOAT16 -> 0x1p-8;
      default -> throw new IllegalArgumentException(type + " does not round");
    };
  }

  /**
   * The absolute error of rounding to nearest below the smallest normal number: half the smallest
   * subnormal. Relative bounds do not hold there.
   */
  public static double subnormalHalf(DType type) {
    return switch (type) {
      case FLOAT32 -> 0x1p-150;
      case FLOAT16 -> 0x1p-25;
      case BFLOAT16 -> 0x1p-134;
      default -> throw new IllegalArgumentException(type + " does not round");
    };
  }

  /** The largest error of rounding a number of that size to nearest, subnormal or not. */
  public static double halfUlp(DType type, double size) {
    int exponent = Math.max(Math.getExponent(size), type == DType.FLOAT16 ? -14 : -126);
    return Math.scalb(unit(type), exponent);
  }

  /** The largest finite number. */
  public static float largest(DType type) {
    return switch (type) {
      case FLOAT32 -> Float.MAX_VALUE;
      case FLOAT16 -> 65504;
      case BFLOAT16 -> 0x1.fep127f;
      default -> throw new IllegalArgumentException(type + " does not round");
    };
  }

  /** Rounds to nearest even; the result is exact in float for every type. */
  public static float round(DType type, float value) {
    return switch (type) {
      case FLOAT32 -> value;
      case FLOAT16 -> Float.float16ToFloat(Float.floatToFloat16(value));
      case BFLOAT16 -> Float.intBitsToFloat(bfloat16Bits(value) << 16);
      default -> throw new IllegalArgumentException(type + " does not round");
    };
  }

  /**
   * Rounds a double to nearest even without rounding twice: the error of the float result decides
   * which way a float that lies exactly on a boundary of the narrow format is nudged.
   */
  public static float round(DType type, double value) {
    float nearest = (float) value;
    if (type == DType.FLOAT32 || Double.isNaN(value) || Float.isInfinite(nearest)) {
      return nearest;
    }
    double lost = value - nearest;
    // Round to odd: keeps the information that something was lost, below the narrow format's bits.
    if (lost != 0 && (Float.floatToRawIntBits(nearest) & 1) == 0) {
      nearest = lost > 0 ? Math.nextUp(nearest) : Math.nextDown(nearest);
    }
    return round(type, nearest);
  }

  private static int bfloat16Bits(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (bits >>> 16 | 0x40) & 0xffff;
    }
    return (bits + 0x7fff + (bits >>> 16 & 1)) >>> 16 & 0xffff;
  }

  /**
   * The bits of {@code value}, which must be exact in {@code type}; NaN gives {@link #poison}.
   * Those of a negative INT32 are a NaN, too, but another one than {@link Float#NaN}.
   */
  public static int bits(DType type, float value) {
    if (Float.isNaN(value)) {
      int raw = Float.floatToRawIntBits(value);
      return type == DType.INT32 && raw < 0 ? raw : poison(type);
    }
    return switch (type) {
      case FLOAT32, INT32 -> Float.floatToRawIntBits(value);
      case FLOAT16 -> Float.floatToFloat16(value) & 0xffff;
      case BFLOAT16 -> bfloat16Bits(value);
      case BOOL, INT8, INT4X2, FLOAT8_E4M3 -> (int) value & 0xff;
    };
  }

  /** What inputs hold where nothing may be read: a quiet NaN, where the type has one. */
  public static int poison(DType type) {
    return switch (type) {
      case FLOAT32, INT32 -> 0x7fe5a5c3;
      case FLOAT16 -> 0x7ea5;
      case BFLOAT16 -> 0x7fe5;
      case BOOL, INT8 -> 0xa5;
      case INT4X2 -> 0x79;
      case FLOAT8_E4M3 -> 0x7f;
    };
  }

  /**
   * What outputs hold before the call: a quiet NaN that no arithmetic produces, unlike that of the
   * inputs, whose bits may pass through a product.
   */
  public static int canary(DType type) {
    return switch (type) {
      case FLOAT32, INT32 -> 0x7fdc5a3c;
      case FLOAT16 -> 0x7f5a;
      case BFLOAT16 -> 0x7fda;
      case BOOL, INT8, INT4X2, FLOAT8_E4M3 -> 0x5a;
    };
  }

  /** Bytes of one element. */
  public static int bytes(DType type) {
    return switch (type) {
      case FLOAT32, INT32 -> 4;
      case FLOAT16, BFLOAT16 -> 2;
      case BOOL, INT8, INT4X2, FLOAT8_E4M3 -> 1;
    };
  }

  /** The value that raw {@code bits} stand for. */
  public static float value(DType type, int bits) {
    return switch (type) {
      case FLOAT32, INT32 -> Float.intBitsToFloat(bits);
      case FLOAT16 -> Float.float16ToFloat((short) bits);
      case BFLOAT16 -> Float.intBitsToFloat(bits << 16);
      case BOOL, INT8, INT4X2, FLOAT8_E4M3 -> bits;
    };
  }

  /** Reads values. */
  public static float[] read(MemorySegment memory, DType type, int count) {
    int[] bits = bits(memory, type, count);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = value(type, bits[i]);
    }
    return values;
  }

  /** Writes values that are exact in {@code type}; NaN becomes poison. */
  public static void write(MemorySegment memory, DType type, float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = bits(type, values[i]);
    }
    writeBits(memory, type, bits);
  }

  /** {@link #canary} of so many elements. */
  public static int[] canaries(DType type, int count) {
    int[] bits = new int[count];
    Arrays.fill(bits, canary(type));
    return bits;
  }

  // Memory is read and written as a whole: element by element that was a quarter of what a run of
  // the kit takes, since the first compiler does not see through a segment.

  /** Raw bits of the first elements. */
  public static int[] bits(MemorySegment memory, DType type, int count) {
    return bits(memory, type, 0, count);
  }

  /** Raw bits of elements {@code from} on. */
  public static int[] bits(MemorySegment memory, DType type, long from, int count) {
    int[] bits = new int[count];
    long at = from * bytes(type);
    switch (bytes(type)) {
      case 1 -> {
        byte[] own = new byte[count];
        MemorySegment.copy(memory, ValueLayout.JAVA_BYTE, at, own, 0, count);
        for (int i = 0; i < count; i++) {
          bits[i] = own[i] & 0xff;
        }
      }
      case 2 -> {
        short[] own = new short[count];
        MemorySegment.copy(memory, SHORT, at, own, 0, count);
        for (int i = 0; i < count; i++) {
          bits[i] = own[i] & 0xffff;
        }
      }
      default -> MemorySegment.copy(memory, INT, at, bits, 0, count);
    }
    return bits;
  }

  /** Writes raw bits of elements. */
  public static void writeBits(MemorySegment memory, DType type, int[] bits) {
    int count = bits.length;
    switch (bytes(type)) {
      case 1 -> {
        byte[] own = new byte[count];
        for (int i = 0; i < count; i++) {
          own[i] = (byte) bits[i];
        }
        MemorySegment.copy(own, 0, memory, ValueLayout.JAVA_BYTE, 0, count);
      }
      case 2 -> {
        short[] own = new short[count];
        for (int i = 0; i < count; i++) {
          own[i] = (short) bits[i];
        }
        MemorySegment.copy(own, 0, memory, SHORT, 0, count);
      }
      default -> MemorySegment.copy(bits, 0, memory, INT, 0, count);
    }
  }
}
