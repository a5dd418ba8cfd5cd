package dev.fovea;

import dev.fovea.ffi.Abi;

/** Native statuses as exceptions. */
final class Failures {
  private Failures() {}

  /** The exception for a status other than {@link Abi#OK}; {@code text} is the library's. */
  static RuntimeException of(int status, String text) {
    return switch (status) {
      case Abi.INVALID_ARGUMENT -> new IllegalArgumentException(text);
      case Abi.UNSUPPORTED -> new UnsupportedOperationException(text);
      case Abi.DEVICE_ERROR -> new FoveaException(Status.DEVICE_ERROR, text);
      case Abi.DEVICE_LOST -> new DeviceLostException(text);
      default -> new FoveaException(Status.UNKNOWN, "status " + status + ": " + text);
    };
  }
}
