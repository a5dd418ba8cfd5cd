package dev.fovea.testkit.merge;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param parts sets of keys, P
 * @param length of a sequence, Sq
 * @param heads Hq
 * @param width Dv
 */
@SuppressWarnings("exports") // for the operations in this module
public record MergeSizes(int batch, int parts, int length, int heads, int width)
    implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "parts" -> parts;
      case "query_length" -> length;
      case "query_heads" -> heads;
      case "value_head_dim" -> width;
      default -> throw new IllegalArgumentException("merge has no " + size.name());
    };
  }

  /** Of out, as many as rows have lses in a part. */
  int rows() {
    return batch * length * heads;
  }

  /** Of all parts. */
  double elements() {
    return (double) batch * length * heads * parts * width;
  }

  @Override
  public String toString() {
    return "B=%d P=%d Sq=%d Hq=%d Dv=%d".formatted(batch, parts, length, heads, width);
  }
}
