package dev.fovea.testkit.projection;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;
import java.util.Arrays;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param length of the longest, S
 * @param rank R
 * @param heads H
 * @param headDim D
 * @param lengths of the sequences; null: all S
 */
@SuppressWarnings("exports") // for the operations in this module
public record ProjectionSizes(
    int batch, int length, int rank, int heads, int headDim, int[] lengths) implements CaseSizes {

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "rank" -> rank;
      case "heads" -> heads;
      case "head_dim" -> headDim;
      default -> throw new IllegalArgumentException("a projection has no " + size.name());
    };
  }

  @Override
  public int[] lengths(Operand operand) {
    return lengths;
  }

  /** Length of sequence {@code b}. */
  public int length(int b) {
    return lengths == null ? length : lengths[b];
  }

  /** The longest that a sequence is. */
  public int longest() {
    int longest = 0;
    for (int b = 0; b < batch; b++) {
      longest = Math.max(longest, length(b));
    }
    return longest;
  }

  /** Multiplications of a product. */
  public double products() {
    return (double) batch * length * rank * heads * headDim;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ProjectionSizes that && toString().equals(that.toString());
  }

  @Override
  public int hashCode() {
    return toString().hashCode();
  }

  @Override
  public String toString() {
    return "B=%d S=%d R=%d H=%d D=%d%s"
        .formatted(
            batch,
            length,
            rank,
            heads,
            headDim,
            lengths == null ? "" : " len=" + Arrays.toString(lengths).replace(" ", ""));
  }
}
