package dev.fovea.bench;

/** An output was verified and is wrong: what computed it is not timed. */
final class WrongOutputException extends RuntimeException {

  private static final long serialVersionUID = 1;

  WrongOutputException(String message) {
    super(message);
  }
}
