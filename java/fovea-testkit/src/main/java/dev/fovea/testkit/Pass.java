package dev.fovea.testkit;

import java.util.Locale;

/** The two passes of an operation. */
public enum Pass {
  FORWARD,
  BACKWARD;

  /** As the command line spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
