package dev.fovea.testkit;

import dev.fovea.ffi.NativeOperation;
import java.util.List;
import java.util.Locale;

/** The passes of an operation. */
public enum Pass {
  FORWARD,
  BACKWARD;

  /** Those that an operation has. */
  @SuppressWarnings("exports") // for the operations in this module
  public static List<Pass> of(NativeOperation operation) {
    return operation.hasBackward() ? List.of(values()) : List.of(FORWARD);
  }

  /** As the command line spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
