package dev.fovea.cli;

import java.util.Locale;

/** What {@code attend} computes. */
enum Mechanism {
  ATTENTION;

  /** As the command line spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
