package dev.fovea.ffi;

import dev.fovea.ffi.report.LoadReport;

/**
 * Why one candidate was not loaded. Ends up as a line of a {@link LoadReport}, never with a user.
 */
final class LoadRefusal extends Exception {
  private static final long serialVersionUID = 1L;

  LoadRefusal(String reason) {
    super(reason, null, false, false);
  }
}
