package dev.fovea.testkit;

import dev.fovea.DType;

/** What the elements of caches stand for, and which are nearest. */
public final class Quantization {

  private Quantization() {}

  /** True for types that only caches have. */
  public static boolean isQuantized(DType type) {
    return switch (type) {
      case INT8, INT4X2, FLOAT8_E4M3 -> true;
      default -> false;
    };
  }

  /** Values that an element holds. */
  public static int packed(DType type) {
    return type == DType.INT4X2 ? 2 : 1;
  }

  /** The largest value, which scales are made for. */
  public static float most(DType type) {
    return switch (type) {
      case INT8 -> 127;
      case INT4X2 -> 7;
      case FLOAT8_E4M3 -> 448;
      default -> throw new IllegalArgumentException(type + " is not quantized");
    };
  }

  /** The bits of the value nearest to {@code x}, ties to even, at most {@link #most} in size. */
  public static int quantize(DType type, float x) {
    if (type != DType.FLOAT8_E4M3) {
      float most = most(type);
      return (int) Math.rint(Math.clamp(x, -most - 1, most)) & (type == DType.INT8 ? 0xff : 15);
    }
    float size = Math.min(Math.abs(x), most(type));
    // Steps of 2^-9 below 2^-6, and of an eighth of the power of two above.
    float step = size < 0x1p-6f ? 0x1p-9f : Math.scalb(1f, Math.getExponent(size) - 3);
    float nearest = (float) Math.rint(size / step) * step;
    int exponent = nearest < 0x1p-6f ? 0 : Math.getExponent(nearest) + 7;
    float unit = exponent == 0 ? 0x1p-9f : Math.scalb(1f, exponent - 10);
    int mantissa = (int) (nearest / unit) - (exponent == 0 ? 0 : 8);
    return exponent << 3 | mantissa | (x < 0 ? 0x80 : 0);
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
}
