package dev.fovea;

import java.util.Objects;

/**
 * Attention pooling: a learned query for each head looks at all positions of a sequence and gives
 * one vector for it, as words become a sentence and sentences a document in a hierarchical
 * attention network. Immutable and thread-safe.
 *
 * <p>With query [H, D], the same for all sequences, key [B, S, Hk, D], value [B, S, Hk, Dv], where
 * head h reads key/value head h / (H / Hk):
 *
 * <pre>
 *   x_bhj = scale &lt;query_h, key_bj&gt;                          dot
 *   x_bhj = &lt;weight_h, tanh(query_h + key_bj + bias_h)&gt;      additive
 *   out_bh = sum_j softmax_j(x_bh) value_bj
 * </pre>
 *
 * <p>This is {@link Attention} or {@link AdditiveAttention} with one query for each sequence, which
 * is never repeated in memory. A sequence without positions gives out = 0. The key of the paper is
 * tanh(W value + b), its query the word context vector, its scale 1.
 *
 * <p>Source: Yang et al., Hierarchical attention networks for document classification, NAACL 2016,
 * equations 5 to 7.
 */
public final class AttentionPooling {
  private final Attention dot; // one of the two is null
  private final AdditiveAttention additive;

  private AttentionPooling(Attention dot, AdditiveAttention additive) {
    this.dot = dot;
    this.additive = additive;
  }

  /** By the product of query and key, with a scale of 1. */
  public static AttentionPooling dot() {
    return dot(Attention.builder().scale(1).build());
  }

  /**
   * By the product of query and key, with scale, dropout and type of out as {@code attention} says.
   */
  public static AttentionPooling dot(Attention attention) {
    return new AttentionPooling(Objects.requireNonNull(attention, "attention"), null);
  }

  /** By the tanh of the sum of query and key. */
  public static AttentionPooling additive() {
    return additive(AdditiveAttention.create());
  }

  /**
   * By the tanh of the sum of query and key, with dropout and type of out as {@code attention}
   * says.
   */
  public static AttentionPooling additive(AdditiveAttention attention) {
    return new AttentionPooling(null, Objects.requireNonNull(attention, "attention"));
  }

  /** The same without dropout, for inference. */
  public AttentionPooling eval() {
    return dot != null ? dot(dot.eval()) : additive(additive.eval());
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: query [H, D], key [B,
   * S, Hk, D], value [B, S, Hk, Dv].
   *
   * @param parameters for dot none; for additive the weight [H, D] {@link DType#FLOAT32} and, if
   *     there is one, the bias [H, D] {@link DType#FLOAT32}
   * @throws IllegalArgumentException if query or key has another rank, or there are other
   *     parameters
   */
  public PoolingCall call(Tensor query, Tensor key, Tensor value, Tensor... parameters) {
    Check.shape("query", query, "[H, D]", Check.ANY, Check.ANY);
    Check.shape("key", key, "[B, S, Hk, D]", Check.ANY, Check.ANY, Check.ANY, Check.ANY);
    Tensor queries =
        query.unsqueeze(0).unsqueeze(0).expand(key.size(0), 1, query.size(0), query.size(1));
    return new PoolingCall(bind(queries, key, value, parameters), query, queries);
  }

  /**
   * Binds packed sequences: key [T, Hk, D], value [T, Hk, Dv], sequence b of which is rows {@code
   * offsets[b]} to {@code offsets[b + 1] - 1}.
   *
   * @param offsets [B + 1] {@link DType#INT32}, rising from 0 to T
   * @param longest at least the length of the longest sequence
   * @param parameters as of {@link #call}
   * @throws IllegalArgumentException if an operand has another rank, or there are other parameters
   * @throws FoveaException if there is no memory for the B + 1 offsets of the queries
   */
  public PoolingCall packed(
      Tensor query, Tensor key, Tensor value, Tensor offsets, long longest, Tensor... parameters) {
    Check.shape("query", query, "[H, D]", Check.ANY, Check.ANY);
    Check.shape("offsets", offsets, "[B + 1]", Check.ANY);
    long batch = offsets.size(0) - 1;
    if (batch < 0) {
      throw new IllegalArgumentException("offsets is empty, expected [B + 1] offsets");
    }
    Tensor queries = query.unsqueeze(0).expand(batch, query.size(0), query.size(1));
    SoftmaxCall<?> call = bind(queries, key, value, parameters);
    call.cuSeqlens(PoolingCall.oneEach(query.device(), batch), offsets, 1, longest);
    return new PoolingCall(call, query, queries);
  }

  private SoftmaxCall<?> bind(Tensor query, Tensor key, Tensor value, Tensor[] parameters) {
    if (dot != null) {
      if (parameters.length != 0) {
        throw new IllegalArgumentException(
            "parameters are %d, expected none: pooling by a product has a query alone"
                .formatted(parameters.length));
      }
      return dot.call(query, key, value);
    }
    if (parameters.length < 1 || parameters.length > 2) {
      throw new IllegalArgumentException(
          "parameters are %d, expected a weight, or a weight and a bias"
              .formatted(parameters.length));
    }
    AdditiveCall call = additive.call(query, key, value, parameters[0]);
    return parameters.length == 2 ? call.bias(parameters[1]) : call;
  }

  /**
   * Pools into a new dense tensor [B, H, Dv] of {@code scope}.
   *
   * @param lengths of the sequences, [B] {@link DType#INT32}; null for S
   * @param parameters as of {@link #call}
   * @throws RuntimeException as {@link Attention#forward(Scope, Tensor, Tensor, Tensor)}
   */
  public Tensor forward(
      Scope scope, Tensor query, Tensor key, Tensor value, Tensor lengths, Tensor... parameters) {
    return call(query, key, value, parameters).lengths(lengths).forward(scope);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof AttentionPooling that
        && Objects.equals(dot, that.dot)
        && Objects.equals(additive, that.additive);
  }

  @Override
  public int hashCode() {
    return Objects.hash(AttentionPooling.class, dot, additive);
  }

  @Override
  public String toString() {
    return "AttentionPooling[" + (dot != null ? dot : additive) + "]";
  }
}
