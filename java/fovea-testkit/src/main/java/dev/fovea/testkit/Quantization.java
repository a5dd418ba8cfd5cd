package dev.fovea.testkit;

import dev.fovea.DType;

/** What the elements of caches, and of queries of 8 bits, stand for, and which are nearest. */
public final class Quantization {

  private Quantization() {}

  /** The largest value, which scales are made for. */
  public static float most(DType type) {
    return switch (type) {
      case INT8 -> 127;
      case INT4X2 -> 7;
      case FLOAT8_E4M3 -> 448;
      default -> throw new IllegalArgumentException(type + " is not quantized");
    };
  }

  /**
   * The bits of the value nearest to {@code x}, ties to even, at most {@link #most} in size: 8 of
   * them, 4 of {@link DType#INT4X2}. NaN is NaN where the type has one, else zero.
   */
  public static int quantize(DType type, float x) {
    if (type == DType.FLOAT8_E4M3) {
      return e4m3(x);
    }
    float within = Float.isNaN(x) ? 0 : Math.clamp(x, -most(type), most(type));
    return (int) Math.rint(within) & (type == DType.INT8 ? 0xff : 0xf);
  }

  /** Eight numbers of each binade, whose lowest has zero and the subnormal ones. */
  private static int e4m3(float x) {
    if (Float.isNaN(x)) {
      return 0x7f;
    }
    double size = Math.min(Math.abs(x), 448.0);
    int exponent = Math.max(-6, Math.getExponent(size));
    int steps = (int) Math.rint(Math.scalb(size, 3 - exponent)); // 16: the first of the next
    int code = (exponent + 6) * 8 + steps;
    return Float.floatToRawIntBits(x) < 0 ? code | 0x80 : code;
  }

  /** The value that bits stand for; of four bits the lower four of them. */
  public static float value(DType type, int bits) {
    return switch (type) {
      case INT8 -> (byte) bits;
      case INT4X2 -> bits << 28 >> 28;
      case FLOAT8_E4M3 -> {
        int exponent = bits >> 3 & 15;
        int mantissa = bits & 7;
        float size =
            (bits & 0x7f) == 0x7f
                ? Float.NaN
                : exponent == 0 ? mantissa * 0x1p-9f : Math.scalb(1 + mantissa / 8f, exponent - 7);
        yield (bits & 0x80) == 0 ? size : -size;
      }
      default -> throw new IllegalArgumentException(type + " is not quantized");
    };
  }

  /** The bits of values that are exact in a type of 8 bits, as memory has them; of NaN itself. */
  public static float[] bits(DType type, float[] values) {
    float[] bits = new float[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.isNaN(values[i]) ? Float.NaN : quantize(type, values[i]);
    }
    return bits;
  }

  /** The bits of a column of a row whose elements begin at {@code at}. */
  public static int read(DType type, float[] elements, int at, int column) {
    return type == DType.INT4X2
        ? (int) elements[at + column / 2] >> column % 2 * 4 & 0xf
        : (int) elements[at + column] & 0xff;
  }
}
