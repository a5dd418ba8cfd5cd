package dev.fovea.testkit;

import java.util.Locale;

/** What random cases are of. */
public enum Operation {
  ATTENTION;

  /** As the command line spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Case {@code index} of the sequence {@code seed}. */
  CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return switch (pass) {
      case FORWARD -> CaseGenerator.generate(seed, index, limits);
      case BACKWARD -> BackwardGenerator.generate(seed, index, limits);
    };
  }

  /** Resource with the coverage that a check must reach. */
  String minima(Pass pass, Limits limits) {
    return this + "-" + pass + limits.minima();
  }
}
