package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to an operation over queries and keys such as {@link Attention}: what all of these
 * read beside query, key and value. Where the result goes is [B, Sq, Hq, Dv]; packed: [Tq, Hq, Dv].
 *
 * @param <C> the call of an operation
 */
public abstract sealed class SequenceCall<C extends SequenceCall<C>> extends OperationCall<C>
    permits SoftmaxCall, LinearCall {
  SequenceCall(MaskedSpec spec, Tensor query, Tensor key, Tensor value, RunMemory memory) {
    super(
        spec,
        new Bindings(spec.operation())
            .set("query", Objects.requireNonNull(query, "query"))
            .set("key", Objects.requireNonNull(key, "key"))
            .set("value", Objects.requireNonNull(value, "value")),
        memory);
  }

  /**
   * Lengths of the query sequences, [B], {@link DType#INT32}; what lies behind is padding and never
   * read. Null for the full length. Not with {@link #cuSeqlens}, which has them.
   */
  public C queryLengths(Tensor lengths) {
    return bind("query_lengths", lengths);
  }

  /**
   * Lengths of the key sequences, [B], {@link DType#INT32}; what lies behind is padding and never
   * read. Null for the full length. {@link Masks#keyLengths} makes them of a padding mask. With
   * {@link #cuSeqlens}, a sequence has only the first so many of its rows of key and value, as in a
   * cache that is not full.
   */
  public C keyLengths(Tensor lengths) {
    return bind("key_lengths", lengths);
  }

  /**
   * Makes the batch packed: sequences lie end to end without padding, sequence b is rows {@code
   * offsets[b]} to {@code offsets[b + 1] - 1}. Then query is [Tq, Hq, D], key [Tk, Hk, D], value
   * [Tk, Hk, Dv], out [Tq, Hq, Dv].
   *
   * <p>Every row belongs to a sequence: offsets end at Tq and Tk. A plan refuses more rows than B
   * sequences of the longest length can have, and a run on the CPU offsets that do not rise as they
   * should. A GPU has them in its own memory and cannot report them: it takes the nearest that are
   * possible, and rows that no sequence has stay as they were in all that it writes.
   *
   * @param query offsets, [B + 1] {@link DType#INT32}, rising from 0 to Tq; in messages cuSeqlensQ
   * @param key offsets, [B + 1] {@link DType#INT32}, rising from 0 to Tk; in messages cuSeqlensK
   * @param longestQuery at least the length of the longest query sequence; the plan depends on it
   * @param longestKey at least the length of the longest key sequence; the plan depends on it
   */
  public C cuSeqlens(Tensor query, Tensor key, long longestQuery, long longestKey) {
    Objects.requireNonNull(query, "query");
    Objects.requireNonNull(key, "key");
    notNegative("longestQuery", longestQuery);
    notNegative("longestKey", longestKey);
    claim().begin();
    operands().set("cu_seqlens_q", query).longest("query_length", longestQuery);
    operands().set("cu_seqlens_k", key).longest("key_length", longestKey);
    return operandBound();
  }

  static void notNegative(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " is " + value + ", expected zero or more");
    }
  }

  @Override
  final long[] outShape() {
    Tensor query = operands().get("query");
    Tensor value = operands().get("value");
    if (query.rank() == 0 || value.rank() == 0) {
      throw new IllegalArgumentException(
          "query is " + query.description() + ", value " + value.description());
    }
    long[] shape = query.shape();
    shape[shape.length - 1] = value.size(value.rank() - 1);
    return shape;
  }
}
