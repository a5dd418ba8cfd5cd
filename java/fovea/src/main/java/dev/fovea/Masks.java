package dev.fovea;

import java.util.Arrays;

/**
 * Boolean masks in the forms that an {@link AttentionCall} takes.
 *
 * <p>True means that a key takes part: as in the {@code attn_mask} of PyTorch's {@code
 * scaled_dot_product_attention}, and as the ones of an {@code attention_mask} of Hugging Face. The
 * {@code key_padding_mask} of PyTorch's {@code MultiheadAttention} means the opposite.
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
                    + " the end alone; Masks.bias takes any mask")
                .formatted(row, length, key));
      }
    }
    return length;
  }

  /**
   * Any mask as an {@linkplain AttentionCall#bias additive bias}: 0 where it is true, negative
   * infinity where it is false. A query whose keys are all masked gives out = 0. The kernels read
   * every element: causal masks, windows and lengths are much cheaper by their own names.
   *
   * @param dtype of the bias, any floating type, whatever that of query; 16 bits are read fastest
   * @param mask elements of {@code shape} in row-major order
   * @param shape as a bias takes it: [Sq, Sk], [1, Sk] for one padding mask, [B, 1, 1, Sk] for one
   *     of each sequence, and so on
   * @throws IllegalArgumentException if {@code dtype} is not floating, or {@code mask} has not as
   *     many elements as {@code shape}
   */
  public static Tensor bias(Scope scope, DType dtype, boolean[] mask, long... shape) {
    if (!dtype.isFloating()) {
      throw new IllegalArgumentException("dtype is " + dtype + ", expected a floating type");
    }
    if (Layouts.elements(shape) != mask.length) {
      throw new IllegalArgumentException(
          "mask has %d elements, shape %s has %d"
              .formatted(mask.length, Arrays.toString(shape), Layouts.elements(shape)));
    }
    float[] bias = new float[mask.length];
    for (int i = 0; i < mask.length; i++) {
      bias[i] = mask[i] ? 0 : Float.NEGATIVE_INFINITY;
    }
    return scope.allocate(dtype, shape).copyFrom(bias);
  }
}
