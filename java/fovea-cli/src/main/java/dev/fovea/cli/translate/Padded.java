package dev.fovea.cli.translate;

import dev.fovea.DType;
import dev.fovea.nn.Tape;
import dev.fovea.nn.Variable;
import java.util.Arrays;
import java.util.List;

/**
 * Sequences side by side, the shorter ones filled up.
 *
 * @param flat one after the other
 * @param lengths of each, what it is filled up with not counted
 * @param longest of these
 */
record Padded(int[] flat, int[] lengths, int longest) {

  static Padded of(List<int[]> sequences, int padding) {
    int[] lengths = sequences.stream().mapToInt(it -> it.length).toArray();
    int longest = Arrays.stream(lengths).max().orElseThrow();
    int[] flat = new int[lengths.length * longest];
    Arrays.fill(flat, padding);
    for (int i = 0; i < lengths.length; i++) {
      System.arraycopy(sequences.get(i), 0, flat, i * longest, lengths[i]);
    }
    return new Padded(flat, lengths, longest);
  }

  /** The sequences on a tape, [B, S]. */
  Variable on(Tape tape) {
    return input(tape, flat, lengths.length, longest);
  }

  /** Their lengths on a tape, [B]. */
  Variable lengthsOn(Tape tape) {
    return input(tape, lengths, lengths.length);
  }

  private static Variable input(Tape tape, int[] values, long... shape) {
    Variable input = tape.input(DType.INT32, shape);
    input.value().copyFrom(values);
    return input;
  }
}
