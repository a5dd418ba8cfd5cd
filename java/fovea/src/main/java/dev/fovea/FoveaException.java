package dev.fovea;

import java.util.Objects;

/** A native library or a device failed. Wrong arguments are other exceptions. */
public class FoveaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What kind of failure this is. */
  private final Status status;

  /** Also for modules that provide devices. */
  public FoveaException(Status status, String message) {
    super(message);
    this.status = Objects.requireNonNull(status, "status");
  }

  /** What kind of failure this is. */
  public Status status() {
    return status;
  }
}
