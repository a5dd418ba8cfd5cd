package dev.fovea.nn;

import dev.fovea.AdditiveAttention;
import dev.fovea.Attention;

/**
 * One row of a sequence: the mean of its rows by weights that a learned query gives them, head by
 * head. The score of row x is {@code u tanh(W x + b)} (Yang et al., Hierarchical attention networks
 * for document classification, 2016, equations 5 to 7), or the scaled product of {@code W x} and u.
 */
public final class SequencePooling extends Module {
  private final int heads;
  private final int hidden;
  private final boolean isAdditive;
  private final Linear key; // without b: the operation adds it, and products need none
  private final Parameter bias; // of additive scores; else null
  private final Parameter query; // u

  private SequencePooling(int width, int heads, int hidden, boolean additive) {
    if (heads < 1 || width % heads != 0) {
      throw new IllegalArgumentException(
          "width is %d, expected a multiple of heads, %d".formatted(width, heads));
    }
    this.heads = heads;
    this.hidden = hidden;
    isAdditive = additive;
    key = child("key", new Linear(width, Math.multiplyExact(heads, hidden), false));
    bias = additive ? parameter("bias", Initializer.constant(0), heads, hidden) : null;
    query = parameter("query", Initializer.uniform(1 / Math.sqrt(hidden)), heads, hidden);
  }

  /**
   * With additive scores.
   *
   * @param width of rows, a multiple of {@code heads}; a head has at most 512 elements of these
   * @param hidden elements that scores are computed from, in each head
   */
  public static SequencePooling additive(int width, int heads, int hidden) {
    return new SequencePooling(width, heads, hidden, true);
  }

  /** With products for scores; sizes likewise. */
  public static SequencePooling dot(int width, int heads, int hidden) {
    return new SequencePooling(width, heads, hidden, false);
  }

  /**
   * From [B, S, width] to [B, width].
   *
   * @param lengths of the sequences, int32 [B]; null for S. Of none, the result is 0
   */
  public Variable forward(Variable x, Variable lengths) {
    long batch = x.size(0);
    Variable queries = x.tape().input(x.dtype(), batch, 1, heads, hidden); // stays zero
    return pooled(
        queries,
        key.forward(x).reshape(batch, x.size(1), heads, hidden),
        x.reshape(batch, x.size(1), heads, -1),
        Operands.none().with("key_lengths", lengths));
  }

  /**
   * Packed sequences: sequence b is rows {@code offsets[b]} to {@code offsets[b + 1] - 1}.
   *
   * @param x [T, width]
   * @param offsets int32 [B + 1]
   * @param longest at least the length of the longest
   * @return [B, width]
   */
  public Variable forward(Variable x, Variable offsets, long longest) {
    Tape tape = x.tape();
    int batch = Math.toIntExact(offsets.size(0) - 1);
    record OneEach(int batch) {}
    Variable ones =
        tape.constant(
            new OneEach(batch),
            scope -> {
              int[] rows = new int[batch + 1];
              for (int b = 0; b <= batch; b++) {
                rows[b] = b;
              }
              return scope.copyOf(rows, batch + 1);
            });
    return pooled(
        tape.input(x.dtype(), batch, heads, hidden),
        key.forward(x).reshape(x.size(0), heads, hidden),
        x.reshape(x.size(0), heads, -1),
        Operands.none().packed(ones, offsets, 1, longest));
  }

  private Variable pooled(Variable queries, Variable keys, Variable values, Operands more) {
    Tape tape = queries.tape();
    Variable own = tape.exactParameter(query);
    Variable found =
        isAdditive
            ? Functions.additive(
                AdditiveAttention.create(),
                queries,
                keys,
                values,
                own,
                more.with("bias", tape.exactParameter(bias)))
            : Functions.attention(
                Attention.create(), queries, keys, values, more.with("content_bias", own));
    return found.reshape(queries.size(0), -1);
  }
}
