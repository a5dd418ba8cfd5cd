package dev.fovea;

import dev.fovea.ffi.Abi;
import java.util.regex.Pattern;

/** Native statuses as exceptions. */
final class Failures {
  /** Of fields and operands in the flat ABI; a kernel keeps its name. */
  private static final Pattern NAME = Pattern.compile("(?<!kernel )\\b[a-z]+(_[a-z]+)+\\b");

  private Failures() {}

  /** The exception for a status other than {@link Abi#OK}; {@code text} is the library's. */
  static RuntimeException of(int status, String text) {
    return switch (status) {
      case Abi.INVALID_ARGUMENT -> new IllegalArgumentException(inJava(text));
      case Abi.UNSUPPORTED -> new UnsupportedOperationException(inJava(text));
      case Abi.DEVICE_ERROR -> new FoveaException(Status.DEVICE_ERROR, text);
      case Abi.DEVICE_LOST -> new DeviceLostException(text);
      default -> new FoveaException(Status.UNKNOWN, "status " + status + ": " + text);
    };
  }

  /** The library speaks of {@code key_lengths[1]}, which is {@code keyLengths[1]} to our users. */
  private static String inJava(String text) {
    return NAME.matcher(text).replaceAll(found -> PassOperands.javaName(found.group()));
  }
}
