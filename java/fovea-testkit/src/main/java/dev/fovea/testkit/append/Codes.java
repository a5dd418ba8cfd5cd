package dev.fovea.testkit.append;

import dev.fovea.DType;

/** Elements of caches that are not of a floating type, as small whole numbers. */
final class Codes {

  private Codes() {}

  /** The largest magnitude that a number is rounded to. */
  static float most(DType type) {
    return switch (type) {
      case INT8 -> 127;
      case INT4X2 -> 7;
      case FLOAT8_E4M3 -> 448;
      default -> throw new IllegalArgumentException(type + " has no codes");
    };
  }

  /** The bits of {@code x} rounded to nearest even: 8 of them, 4 of {@link DType#INT4X2}. */
  static int of(DType type, float x) {
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

  /** What bits stand for. */
  static float value(DType type, int code) {
    return switch (type) {
      case INT8 -> (byte) code;
      case INT4X2 -> code << 28 >> 28;
      case FLOAT8_E4M3 -> {
        int steps = code & 0x7f;
        double size =
            steps == 0x7f
                ? Double.NaN
                : steps < 8 ? Math.scalb(steps, -9) : Math.scalb(8 + steps % 8, steps / 8 - 10);
        yield (float) (code < 0x80 ? size : -size);
      }
      default -> throw new IllegalArgumentException(type + " has no codes");
    };
  }

  /** The code of a column in bytes of a row from {@code at} on. */
  static int read(DType type, float[] bytes, int at, int column) {
    return type == DType.INT4X2
        ? (int) bytes[at + column / 2] >> column % 2 * 4 & 0xf
        : (int) bytes[at + column] & 0xff;
  }
}
