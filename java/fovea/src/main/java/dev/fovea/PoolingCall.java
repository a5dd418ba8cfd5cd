package dev.fovea;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.concurrent.Executor;

/**
 * Operands bound to an {@link AttentionPooling}: built once, run many times, by one thread at a
 * time, as any {@link OperationCall}.
 */
public final class PoolingCall {
  private final SoftmaxCall<?> call;
  private final boolean packed;
  private final Tensor query; // [H, D]
  private final Tensor queries; // of each sequence, the same

  PoolingCall(SoftmaxCall<?> call, Tensor query, Tensor queries) {
    this.call = call;
    this.query = query;
    this.queries = queries;
    this.packed = queries.rank() == 3;
  }

  /** Offsets of sequences of one row each; they go with the tensor. */
  static Tensor oneEach(Device device, long sequences) {
    int[] offsets = new int[Math.toIntExact(sequences + 1)];
    Arrays.setAll(offsets, i -> i);
    return Scope.over(Arena.ofAuto(), device).copyOf(offsets, offsets.length);
  }

  /**
   * Lengths of the sequences, [B] {@link DType#INT32}; what lies behind is padding and never read.
   * Null for the full length. A sequence of length 0 gives out = 0.
   */
  public PoolingCall lengths(Tensor lengths) {
    call.keyLengths(lengths);
    return this;
  }

  /** Where the result goes: [B, H, Dv]. */
  public PoolingCall out(Tensor out) {
    call.out(out == null ? null : rows(out));
    return this;
  }

  /**
   * Where the logarithms of the softmax sums go: [B, H] {@link DType#FLOAT32}; packed: [H, B], the
   * last dimension contiguous. Null if they are not wanted; a backward pass needs them.
   */
  public PoolingCall lse(Tensor lse) {
    call.lse(lse == null || packed ? lse : scores("lse", lse, "B, H"));
    return this;
  }

  /**
   * Where the weights of positions go, before dropout: [B, H, S] {@link DType#FLOAT32}; packed: [B,
   * H, longest]. Null if they are not wanted.
   */
  public PoolingCall weights(Tensor weights) {
    call.weights(weights == null ? null : scores("weights", weights, "B, H, S"));
    return this;
  }

  /**
   * Where the K largest weights of each sequence and head go and the positions that have them, as
   * {@link SoftmaxCall#topWeights} says: [B, H, K] both.
   */
  public PoolingCall topWeights(Tensor weights, Tensor positions) {
    call.topWeights(
        weights == null ? null : scores("weights", weights, "B, H, K"),
        positions == null ? null : scores("positions", positions, "B, H, K"));
    return this;
  }

  /** What dropout draws from, as of {@link SoftmaxCall#dropoutSeed}. */
  public PoolingCall dropoutSeed(long seed, int offset) {
    call.dropoutSeed(seed, offset);
    return this;
  }

  /** As {@link OperationCall#stream}. */
  public PoolingCall stream(Stream stream) {
    call.stream(stream);
    return this;
  }

  /** As {@link OperationCall#executor}. */
  public PoolingCall executor(Executor executor) {
    call.executor(executor);
    return this;
  }

  /** As {@link OperationCall#parallelism}. */
  public PoolingCall parallelism(int workers) {
    call.parallelism(workers);
    return this;
  }

  /** As {@link OperationCall#plan}. */
  public AttentionPlan plan() {
    return call.plan();
  }

  /** Computes, as {@link OperationCall#run}. */
  public void run() {
    call.run();
  }

  /** Runs with a new dense tensor [B, H, Dv] in {@code scope}, as {@link OperationCall#forward}. */
  public Tensor forward(Scope scope) {
    Tensor out = call.forward(scope);
    return packed ? out : out.squeeze(1);
  }

  /**
   * The backward pass of this call's own forward, as {@link AttentionCall#gradients(Tensor)} is.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public PoolingBackward gradients(Tensor dout) {
    return new PoolingBackward(call.gradients(rows(dout)), query, queries);
  }

  /** [B, H, D] as attention has it. */
  private Tensor rows(Tensor tensor) {
    return packed || tensor.rank() != 3 ? tensor : tensor.unsqueeze(1);
  }

  /** [B, H, ...] as attention has it: [B, H, 1, ...], or packed [H, B, ...]. */
  private Tensor scores(String name, Tensor tensor, String shape) {
    if (tensor.rank() != shape.split(", ").length) {
      throw new IllegalArgumentException(
          "%s is %s, expected [%s]".formatted(name, tensor.description(), shape));
    }
    return packed ? tensor.transpose(0, 1) : tensor.unsqueeze(2);
  }

  /** What is bound, with shapes. */
  @Override
  public String toString() {
    return "PoolingCall[" + call + "]";
  }
}
