package dev.fovea.testkit;

import dev.fovea.ffi.Operand;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Sizes of one case.
 *
 * @param batch sequences, B
 * @param queryLength Sq, or packed: the longest query sequence as told to the operation
 * @param keyLength Sk, or packed: the longest key sequence as told to the operation
 * @param queryHeads Hq
 * @param keyHeads Hk, divides Hq
 * @param headDim D
 * @param valueHeadDim Dv
 * @param packed sequences lie end to end and are found by cu_seqlens
 * @param queryLengths length of every query sequence, or null: all Sq
 * @param keyLengths length of every key sequence, or null: all Sk
 * @param keyRooms rows of every packed key sequence, of which it fills the first; null: as many as
 *     it has keys
 */
@SuppressWarnings("exports") // for the operations in this module
public record Geometry(
    int batch,
    int queryLength,
    int keyLength,
    int queryHeads,
    int keyHeads,
    int headDim,
    int valueHeadDim,
    boolean packed,
    int[] queryLengths,
    int[] keyLengths,
    int[] keyRooms)
    implements CaseSizes {

  /** Length of query sequence {@code b}. */
  public int lenQ(int b) {
    return queryLengths == null ? queryLength : queryLengths[b];
  }

  /** Length of key sequence {@code b}. */
  public int lenK(int b) {
    return keyLengths == null ? keyLength : keyLengths[b];
  }

  /** Rows of key sequence {@code b}, those behind its length included. */
  public int roomK(int b) {
    if (!packed) {
      return keyLength;
    }
    return keyRooms == null ? lenK(b) : keyRooms[b];
  }

  /** Whether key_lengths is given. */
  public boolean hasKeyLengths() {
    return packed ? keyRooms != null : keyLengths != null;
  }

  /** Query heads that share a key/value head. */
  public int group() {
    return queryHeads / keyHeads;
  }

  /** cu_seqlens_q. */
  public int[] cuQ() {
    return cumulative(true);
  }

  /** cu_seqlens_k. */
  public int[] cuK() {
    return cumulative(false);
  }

  private int[] cumulative(boolean query) {
    int[] sums = new int[batch + 1];
    for (int b = 0; b < batch; b++) {
      sums[b + 1] = sums[b] + (query ? lenQ(b) : roomK(b));
    }
    return sums;
  }

  /** Rows of query in memory: Tq if packed, else Sq of each sequence. */
  public int queryRows() {
    return packed ? cuQ()[batch] : queryLength;
  }

  /** Rows of key and value in memory: Tk if packed, else Sk of each sequence. */
  public int keyRows() {
    return packed ? cuK()[batch] : keyLength;
  }

  /** The batch dimension of tensors in memory. */
  public int outerBatch() {
    return packed ? 1 : batch;
  }

  /** Buffer index of row (b, i, h) of an operand in [batch, position, head] order. */
  public int rowIndex(Layout layout, int[] cu, int b, int i, int h) {
    return packed ? layout.at(0, cu[b] + i, h) : layout.at(b, i, h);
  }

  /** Buffer index of row (b, h, i) of an lse. */
  public int lseIndex(Layout lse, int[] cu, int b, int h, int i) {
    return packed ? lse.at(0, h, 0) + cu[b] + i : lse.at(b, h, 0) + i;
  }

  @Override
  public long rows(Operand.Size size) {
    return switch (size.name()) {
      case "batch" -> batch;
      case "query_length" -> queryLength;
      case "key_length" -> keyLength;
      case "query_heads" -> queryHeads;
      case "key_heads" -> keyHeads;
      case "head_dim" -> headDim;
      case "value_head_dim" -> valueHeadDim;
      case "top_count" -> 0; // what is listed, a case adds
      default -> throw new IllegalArgumentException("a geometry has no " + size.name());
    };
  }

  @Override
  public long total(Operand.Size size) {
    if (!packed) {
      return 0;
    }
    return isOfQueries(size) ? queryRows() : keyRows();
  }

  private static boolean isOfQueries(Operand.Size size) {
    return size.name().equals("query_length");
  }

  @Override
  public int[] lengths(Operand operand) {
    boolean queries = isOfQueries(operand.counts());
    if (operand.type() == Operand.Type.OFFSETS) {
      return !packed ? null : queries ? cuQ() : cuK();
    }
    if (queries) {
      return packed ? null : queryLengths;
    }
    return hasKeyLengths() ? keyLengths : null;
  }

  /**
   * What coverage counts quantiles of.
   *
   * @param keys that the busiest query sees
   * @param tileQueries rows of a tile, 0 where there are none
   * @param tileKeys keys of a tile, 0 where there are none
   */
  public Map<String, Integer> covered(int keys, int tileQueries, int tileKeys) {
    Map<String, Integer> sizes = new LinkedHashMap<>();
    sizes.put("Sq", queryLength);
    sizes.put("Sk", keyLength);
    sizes.put("D", headDim);
    sizes.put("keys per row", keys);
    if (tileKeys > 0 && tileQueries > 0) {
      sizes.put("key tiles per row", (keys + tileKeys - 1) / tileKeys);
      int longest = 0;
      for (int b = 0; b < batch; b++) {
        longest = Math.max(longest, lenQ(b));
      }
      sizes.put("query tiles", (longest * group() + tileQueries - 1) / tileQueries);
    }
    return sizes;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Geometry that && toString().equals(that.toString());
  }

  @Override
  public int hashCode() {
    return toString().hashCode();
  }

  @Override
  public String toString() {
    String lengths =
        queryLengths == null && keyLengths == null
            ? ""
            : " lenQ=" + brief(queryLengths) + " lenK=" + brief(keyLengths);
    if (keyRooms != null) {
      lengths += " of " + brief(keyRooms);
    }
    return "B=%d Sq=%d Sk=%d Hq=%d Hk=%d D=%d Dv=%d%s%s"
        .formatted(
            batch,
            queryLength,
            keyLength,
            queryHeads,
            keyHeads,
            headDim,
            valueHeadDim,
            packed ? " packed" : "",
            lengths);
  }

  private static String brief(int[] lengths) {
    return lengths == null ? "all" : Arrays.toString(lengths).replace(" ", "");
  }
}
