package dev.fovea.nn;

import dev.fovea.AdditiveAttention;
import java.util.Objects;

/**
 * Additive attention over a memory: the score of query q and row m in a head is {@code v tanh(W q +
 * U m + b)}, and a head gives the mean of its part of the rows by their weights (Bahdanau et al.,
 * Neural machine translation by jointly learning to align and translate, 2014, arXiv 1409.0473,
 * section A.1.2). The concatenation score of Luong et al. (2015, arXiv 1508.04025), {@code v tanh(W
 * [q; m])}, is the same with W and U side by side and no b.
 */
public final class AdditiveMultiHeadAttention extends Module {
  private final int heads;
  private final int hidden;
  private final AdditiveAttention attention;
  private final Linear query;
  private final Linear memory;
  private final Parameter weight; // v
  private final Parameter bias; // null: none

  /**
   * A layer.
   *
   * @param queryWidth of the rows that ask
   * @param memoryWidth of the rows of the memory, a multiple of {@code heads}; a head has at most
   *     512 elements of these
   * @param hidden elements that scores are computed from, in each head
   * @param hasBias whether there is b
   */
  public AdditiveMultiHeadAttention(
      int queryWidth,
      int memoryWidth,
      int heads,
      int hidden,
      boolean hasBias,
      AdditiveAttention attention) {
    if (heads < 1 || memoryWidth % heads != 0) {
      throw new IllegalArgumentException(
          "memoryWidth is %d, expected a multiple of heads, %d".formatted(memoryWidth, heads));
    }
    this.heads = heads;
    this.hidden = hidden;
    this.attention = Objects.requireNonNull(attention, "attention");
    query = child("query", new Linear(queryWidth, Math.multiplyExact(heads, hidden), false));
    memory = child("memory", new Linear(memoryWidth, heads * hidden, false));
    Initializer uniform = Initializer.uniform(1 / Math.sqrt(hidden));
    weight = parameter("weight", uniform, heads, hidden);
    bias = hasBias ? parameter("bias", Initializer.constant(0), heads, hidden) : null;
  }

  /** With one head, a bias and no mask. */
  public AdditiveMultiHeadAttention(int queryWidth, int memoryWidth, int hidden) {
    this(queryWidth, memoryWidth, 1, hidden, true, AdditiveAttention.create());
  }

  /**
   * What queries find.
   *
   * @param x what asks, [B, Sq, queryWidth]
   * @param rows the memory, [B, Sk, memoryWidth]
   * @param more what attention takes beside: {@code "key_lengths"} of the memory
   * @return [B, Sq, memoryWidth]
   */
  public Variable forward(Variable x, Variable rows, Operands more) {
    Tape tape = x.tape();
    long batch = x.size(0);
    Variable found =
        Functions.additive(
            isTraining() ? attention : attention.eval(),
            query.forward(x).reshape(batch, x.size(1), heads, hidden),
            memory.forward(rows).reshape(batch, rows.size(1), heads, hidden),
            rows.reshape(batch, rows.size(1), heads, rows.size(2) / heads),
            tape.exactParameter(weight),
            more.without("bias").with("bias", bias == null ? null : tape.exactParameter(bias)));
    return found.reshape(batch, x.size(1), rows.size(2));
  }
}
