package dev.fovea.testkit.rotary;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param length S
 * @param heads H
 * @param headDim D
 * @param pairs C
 * @param positionCount rows of the tables, P
 */
@SuppressWarnings("exports") // for the operations in this module
public record RotarySizes(
    int batch, int length, int heads, int headDim, int pairs, int positionCount)
    implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "heads" -> heads;
      case "head_dim" -> headDim;
      case "pairs" -> pairs;
      case "position_count" -> positionCount;
      default -> throw new IllegalArgumentException("rotary has no " + size.name());
    };
  }

  /** Of x. */
  public double elements() {
    return (double) batch * length * heads * headDim;
  }

  @Override
  public String toString() {
    return "B=%d S=%d H=%d D=%d C=%d P=%d"
        .formatted(batch, length, heads, headDim, pairs, positionCount);
  }
}
