package dev.fovea.testkit.crossentropy;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param length S
 * @param classes V
 */
@SuppressWarnings("exports") // for the operations in this module
public record CrossEntropySizes(int batch, int length, int classes) implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "classes" -> classes;
      default -> throw new IllegalArgumentException("cross-entropy has no " + size.name());
    };
  }

  /** Of the logits. */
  public double elements() {
    return (double) batch * length * classes;
  }

  @Override
  public String toString() {
    return "B=%d S=%d V=%d".formatted(batch, length, classes);
  }
}
