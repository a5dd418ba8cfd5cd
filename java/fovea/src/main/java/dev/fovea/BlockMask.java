package dev.fovea;

/**
 * A block mask in compressed rows, for {@link AttentionCall#blockMask}.
 *
 * @param offsets [1, heads, rows + 1] {@link DType#INT32}: where the list of each block row begins,
 *     and where the last one ends
 * @param indices [1, heads, room] {@link DType#INT32}: the blocks of keys that are listed, rising
 */
public record BlockMask(Tensor offsets, Tensor indices) {

  /**
   * Of blocks for all heads.
   *
   * @param blocks [ceil(Sq / Mb)][ceil(Sk / Nb)], true where a block of queries sees a block of
   *     keys
   * @throws IllegalArgumentException if a row has another length than the first
   */
  public static BlockMask of(Scope scope, boolean[][] blocks) {
    return of(scope, new boolean[][][] {blocks});
  }

  /**
   * Of blocks for each query head.
   *
   * @param blocks [Hq][ceil(Sq / Mb)][ceil(Sk / Nb)], true where a block of queries sees a block of
   *     keys
   * @throws IllegalArgumentException if heads or rows differ in length
   */
  public static BlockMask of(Scope scope, boolean[][][] blocks) {
    int heads = blocks.length;
    int rows = heads == 0 ? 0 : blocks[0].length;
    int columns = rows == 0 ? 0 : blocks[0][0].length;
    int[] offsets = new int[Math.multiplyExact(heads, rows + 1)];
    int room = 0;
    for (int h = 0; h < heads; h++) {
      expect(blocks[h].length, rows, "head %d of blocks has %d rows, expected the %d of head 0", h);
      int count = 0;
      for (int m = 0; m < rows; m++) {
        expect(blocks[h][m].length, columns, "row %d of blocks has %d keys, expected %d", m);
        for (boolean listed : blocks[h][m]) {
          count += listed ? 1 : 0;
        }
        offsets[h * (rows + 1) + m + 1] = count;
      }
      room = Math.max(room, count);
    }
    int[] indices = new int[Math.multiplyExact(heads, room)];
    for (int h = 0; h < heads; h++) {
      int next = h * room;
      for (boolean[] row : blocks[h]) {
        for (int n = 0; n < columns; n++) {
          if (row[n]) {
            indices[next++] = n;
          }
        }
      }
    }
    return new BlockMask(
        scope.copyOf(offsets, 1, heads, rows + 1), scope.copyOf(indices, 1, heads, room));
  }

  private static void expect(int length, int expected, String message, int index) {
    if (length != expected) {
      throw new IllegalArgumentException(message.formatted(index, length, expected));
    }
  }
}
