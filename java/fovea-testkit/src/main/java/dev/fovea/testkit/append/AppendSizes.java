package dev.fovea.testkit.append;

import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseSizes;
import java.util.Arrays;

/**
 * Sizes of one case, and where its rows go.
 *
 * @param batch sequences, B
 * @param length S, or at least the most new rows of a packed sequence
 * @param heads Hk
 * @param headDim D
 * @param valueHeadDim Dv; 0 without values
 * @param cacheLength Sk
 * @param pageCount G; 0 without pages
 * @param pageSize Z; 0 without pages
 * @param pageColumns E; 0 without pages
 * @param pairs C; 0 without tables
 * @param positionCount rows of the tables, P
 * @param lengths how the new rows of sequences are given
 * @param starts rows of each sequence before
 * @param rows new ones of each
 * @param table of pages, [B, E]; garbage where there are no new rows
 */
@SuppressWarnings("exports") // for the operations in this module
public record AppendSizes(
    int batch,
    int length,
    int heads,
    int headDim,
    int valueHeadDim,
    int cacheLength,
    int pageCount,
    int pageSize,
    int pageColumns,
    int pairs,
    int positionCount,
    Lengths lengths,
    int[] starts,
    int[] rows,
    int[] table)
    implements CaseSizes {

  /** How new rows are given. */
  public enum Lengths {
    /** S of each sequence. */
    FULL,
    /** Some of S. */
    PADDED,
    /** End to end. */
    PACKED
  }

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "length" -> length;
      case "key_heads" -> heads;
      case "head_dim" -> headDim;
      case "value_head_dim" -> valueHeadDim;
      case "cache_length" -> cacheLength;
      case "page_count" -> pageCount;
      case "page_size" -> pageSize;
      case "page_columns" -> pageColumns;
      case "pairs" -> pairs;
      case "position_count" -> positionCount;
      default -> throw new IllegalArgumentException("append has no " + size.name());
    };
  }

  @Override
  public boolean packed() {
    return lengths == Lengths.PACKED;
  }

  /** New rows of all sequences. */
  public int total() {
    return Arrays.stream(rows).sum();
  }

  @Override
  public long total(Operand.Size size) {
    return packed() ? total() : 0;
  }

  @Override
  public int[] lengths(Operand operand) {
    if (operand.name().equals("lengths")) {
      return lengths == Lengths.PADDED ? rows : null;
    }
    return packed() ? offsets() : null;
  }

  private int[] offsets() {
    int[] offsets = new int[batch + 1];
    for (int b = 0; b < batch; b++) {
      offsets[b + 1] = offsets[b] + rows[b];
    }
    return offsets;
  }

  /** Where the new rows of a packed sequence begin; 0 of others. */
  int origin(int b) {
    return packed() ? offsets()[b] : 0;
  }

  /** True if the cache lies in pages. */
  boolean paged() {
    return pageSize > 0;
  }

  /** The first index of a row of a sequence in a tensor of the cache: its page, or the sequence. */
  int block(int b, int row) {
    return paged() ? table[b * pageColumns + row / pageSize] : b;
  }

  /** The second one. */
  int rowOfBlock(int row) {
    return paged() ? row % pageSize : row;
  }

  /** Of keys that are new. */
  double elements() {
    return (double) total() * heads * (headDim + valueHeadDim);
  }

  @Override
  public String toString() {
    return "B=%d S=%d Hk=%d D=%d Dv=%d Sk=%d G=%d Z=%d E=%d C=%d P=%d %s starts=%s rows=%s"
        .formatted(
            batch,
            length,
            heads,
            headDim,
            valueHeadDim,
            cacheLength,
            pageCount,
            pageSize,
            pageColumns,
            pairs,
            positionCount,
            lengths,
            Arrays.toString(starts),
            Arrays.toString(rows));
  }
}
