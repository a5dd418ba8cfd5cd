package dev.fovea.cli.npy;

import java.io.IOException;

/**
 * A file is not an .npy file that can be read here. The message says what is wrong with it, for its
 * owner, and does not name it.
 */
public final class NpyException extends IOException {

  private static final long serialVersionUID = 1L;

  NpyException(String message) {
    super(message);
  }
}
