package dev.fovea;

/**
 * How the elements of an attention operand follow one another in memory: batch, sequence, heads,
 * head dim, the last without gaps. Whatever the layout, the operand is a view [B, S, H, D].
 */
public enum Layout {
  /** The heads of a token side by side, as a projection writes them. */
  BSHD,
  /** The tokens of a head one after the other, as frameworks keep keys and values. */
  BHSD
}
