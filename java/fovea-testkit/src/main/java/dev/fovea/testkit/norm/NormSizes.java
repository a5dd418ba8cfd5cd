package dev.fovea.testkit.norm;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param length S
 * @param heads H
 * @param width D
 */
@SuppressWarnings("exports") // for the operations in this module
public record NormSizes(int batch, int length, int heads, int width) implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "heads" -> heads;
      case "width" -> width;
      default -> throw new IllegalArgumentException("norm has no " + size.name());
    };
  }

  /** Of x. */
  public double elements() {
    return (double) batch * length * heads * width;
  }

  @Override
  public String toString() {
    return "B=%d S=%d H=%d D=%d".formatted(batch, length, heads, width);
  }
}
