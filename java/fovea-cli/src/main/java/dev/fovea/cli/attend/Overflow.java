package dev.fovea.cli.attend;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import java.util.Locale;

/** Finite values that are infinite in a narrower type. */
final class Overflow {

  private Overflow() {}

  /** Magnitudes from here on round to infinity: half a unit above the largest number. */
  private static double end(DType type) {
    return switch (type) {
      case FLOAT32 -> 0x1.ffffffp127;
      case FLOAT16 -> 65520;
      case BFLOAT16 -> 0x1.ffp127;
      default -> throw new IllegalArgumentException(type + " is no floating type");
    };
  }

  private static double largest(DType type) {
    return switch (type) {
      case FLOAT32 -> Float.MAX_VALUE;
      case FLOAT16 -> 65504;
      case BFLOAT16 -> 0x1.fep127;
      default -> throw new IllegalArgumentException(type + " is no floating type");
    };
  }

  private static boolean possible(NpyType from, DType to) {
    return switch (from) {
      case FLOAT64 -> true;
      case FLOAT32 -> to != DType.FLOAT32;
      case BFLOAT16 -> to == DType.FLOAT16;
      case FLOAT16, INT32, INT64, BOOL -> false;
    };
  }

  /**
   * Refuses an array that has such values.
   *
   * @param name of the array in the refusal
   * @param to type that it is to be converted to
   * @param asked whether --dtype names the type
   */
  static void refuse(String name, Npy array, DType to, boolean asked) {
    if (!possible(array.type(), to)) {
      return;
    }
    double end = end(to);
    long count = 0;
    double most = 0;
    for (long i = 0; i < array.elements(); i++) {
      double value = array.value(i);
      if (Math.abs((float) value) >= end && Double.isFinite(value)) { // float64 by way of float32
        count++;
        most = Math.max(most, Math.abs(value));
      }
    }
    if (count > 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s has %d finite values, of %d, that are infinite as %s%s: up to %.5g, and it ends"
                  + " at %.5g",
              name,
              count,
              array.elements(),
              NpyTensors.text(to),
              asked ? ", which --dtype asks for" : "",
              most,
              largest(to)));
    }
  }

  /**
   * A warning of infinities in a result of float16, whose range is narrow enough for that to happen
   * to ordinary values; null if there are none.
   *
   * @param name of the result
   */
  static String warning(String name, Npy result) {
    if (result.type() != NpyType.FLOAT16) {
      return null;
    }
    long count = 0;
    for (long i = 0; i < result.elements(); i++) {
      count += Double.isInfinite(result.value(i)) ? 1 : 0;
    }
    return count == 0
        ? null
        : ("Warning: %d of %d values of %s are infinite: float16 ends at 65504, and bfloat16 and"
                + " float32 reach further (--dtype).")
            .formatted(count, result.elements(), name);
  }
}
