package dev.fovea.cli.npy;

import java.io.IOException;

/** A file is not an .npy file that can be read here; the message is one sentence for its owner. */
public final class NpyException extends IOException {

  private static final long serialVersionUID = 1L;

  NpyException(String message) {
    super(message);
  }
}
