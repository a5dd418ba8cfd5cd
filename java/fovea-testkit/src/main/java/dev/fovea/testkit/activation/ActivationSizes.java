package dev.fovea.testkit.activation;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param length S
 * @param width D
 */
@SuppressWarnings("exports") // for the operations in this module
public record ActivationSizes(int batch, int length, int width) implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "width" -> width;
      default -> throw new IllegalArgumentException("activation has no " + size.name());
    };
  }

  /** Of all sequences. */
  public int rows() {
    return batch * length;
  }

  /** Of x. */
  public double elements() {
    return (double) batch * length * width;
  }

  @Override
  public String toString() {
    return "B=%d S=%d D=%d".formatted(batch, length, width);
  }
}
