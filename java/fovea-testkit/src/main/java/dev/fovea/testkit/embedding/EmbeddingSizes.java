package dev.fovea.testkit.embedding;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param length S
 * @param vocabulary rows of table, V
 * @param width D
 * @param positionCount rows of positions, P; 0 where there are none
 */
@SuppressWarnings("exports") // for the operations in this module
public record EmbeddingSizes(int batch, int length, int vocabulary, int width, int positionCount)
    implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "vocabulary" -> vocabulary;
      case "width" -> width;
      case "position_count" -> positionCount;
      default -> throw new IllegalArgumentException("embedding has no " + size.name());
    };
  }

  /** Of out and table. */
  public double elements() {
    return ((double) batch * length + vocabulary) * width;
  }

  @Override
  public String toString() {
    return "B=%d S=%d V=%d D=%d P=%d".formatted(batch, length, vocabulary, width, positionCount);
  }
}
