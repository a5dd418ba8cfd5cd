package dev.fovea;

/**
 * Operands bound to an operation whose weights are a softmax over keys: what all of these draw from
 * and write beside out.
 *
 * @param <C> the call of an operation
 */
public abstract sealed class SoftmaxCall<C extends SoftmaxCall<C>> extends SequenceCall<C>
    permits AttentionCall, AdditiveCall, DistanceCall {
  SoftmaxCall(MaskedSpec spec, Tensor query, Tensor key, Tensor value, RunMemory memory) {
    super(spec, query, key, value, memory);
  }

  /**
   * What dropout draws from: seed and offset together name the random numbers of a run
   * (Philox4x32-10, Salmon et al., 2011). Give every step of training its own pair: runs with the
   * same one drop the same weights. Where there is dropout, nothing runs before it is set.
   */
  public C dropoutSeed(long seed, int offset) {
    return seed(seed, offset);
  }

  /**
   * Where the logarithms of the softmax sums go: [B, Hq, Sq] {@link DType#FLOAT32}; packed: [Hq,
   * Tq]. Null if they are not wanted; a backward pass needs them.
   */
  public C lse(Tensor lse) {
    return bind("lse", lse);
  }

  /**
   * Where the attention weights go, before dropout: [B, Hq, Sq, Sk] {@link DType#FLOAT32}; packed:
   * [Hq, Tq, longest Sk]. Null if they are not wanted.
   */
  public C weights(Tensor weights) {
    return bindUnseen("weights", weights);
  }

  /**
   * Where the K largest attention weights of each query go, before dropout, and the keys that have
   * them: in falling order, of equal ones that of the first key before the others. Where fewer than
   * K weights are not 0, the rest are weights of 0 with key -1; a NaN is above all weights. Memory
   * and time are those of K weights for each query, not of Sk. Null if they are not wanted, both or
   * neither.
   *
   * @param weights [B, Hq, Sq, K] {@link DType#FLOAT32}, K from 1 to 128; packed: [Hq, Tq, K]
   * @param keys the same of {@link DType#INT32}
   */
  public C topWeights(Tensor weights, Tensor keys) {
    return bindBothUnseen("top_weights", weights, "top_keys", keys);
  }

  /**
   * The backward pass of this call's own forward, as {@link AttentionCall#gradients(Tensor)} is.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public abstract SequenceBackward<?> gradients(Tensor dout);
}
