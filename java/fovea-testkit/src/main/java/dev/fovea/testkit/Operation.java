package dev.fovea.testkit;

import java.util.Locale;

/** What random cases are of. */
public enum Operation {
  FORWARD,
  BACKWARD;

  /** As the command line spells it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Case {@code index} of the sequence {@code seed}. */
  CheckedCase generate(long seed, long index, Limits limits) {
    return switch (this) {
      case FORWARD -> CaseGenerator.generate(seed, index, limits);
      case BACKWARD -> BackwardGenerator.generate(seed, index, limits);
    };
  }

  /** Resource with the coverage that a check must reach. */
  String minima(Limits limits) {
    return this == FORWARD ? limits.minima() : this + "-" + limits.minima();
  }
}
