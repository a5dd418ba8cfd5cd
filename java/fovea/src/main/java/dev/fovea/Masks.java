package dev.fovea;

/**
 * Padding masks as lengths. True means that a key takes part, as in {@link AttentionCall#mask},
 * which takes masks of any kind.
 */
public final class Masks {
  private Masks() {}

  /**
   * A padding mask as {@linkplain AttentionCall#keyLengths key lengths}, which cost nothing, and
   * with which padding is not even read: [B] {@link DType#INT32}.
   *
   * @param mask [B][Sk], each row true as far as its sequence goes and false behind
   * @throws IllegalArgumentException if a row has a true behind a false, as with padding on the
   *     left, or another length than the first
   */
  public static Tensor keyLengths(Scope scope, boolean[][] mask) {
    int[] lengths = new int[mask.length];
    for (int row = 0; row < mask.length; row++) {
      lengths[row] = keyLength(mask, row);
    }
    return scope.copyOf(lengths, lengths.length);
  }

  private static int keyLength(boolean[][] mask, int row) {
    boolean[] keys = mask[row];
    if (keys.length != mask[0].length) {
      throw new IllegalArgumentException(
          "row %d of mask has %d keys, expected the %d of row 0"
              .formatted(row, keys.length, mask[0].length));
    }
    int length = 0;
    while (length < keys.length && keys[length]) {
      length++;
    }
    for (int key = length; key < keys.length; key++) {
      if (keys[key]) {
        throw new IllegalArgumentException(
            ("row %d of mask is false at key %d and true at key %d: key lengths leave out keys at"
                    + " the end alone; AttentionCall.mask takes any")
                .formatted(row, length, key));
      }
    }
    return length;
  }
}
