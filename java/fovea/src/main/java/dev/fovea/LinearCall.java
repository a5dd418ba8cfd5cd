package dev.fovea;

import java.util.Objects;

/**
 * Operands bound to a {@link LinearAttention}: {@link LinearAttention#call} takes query, key and
 * value, this what else it reads, and states. It has neither lse nor weights.
 */
public final class LinearCall extends SequenceCall<LinearCall> {
  LinearCall(LinearAttention attention, Tensor query, Tensor key, Tensor value, RunMemory memory) {
    super(attention.options(), query, key, value, memory);
  }

  /**
   * Natural logarithms of what a state is multiplied by before each key, 0 or less unless it is to
   * grow: [B or 1, Sk or 1, Hk] or [Hk], of any floating type and with any strides; packed: [Tk,
   * Hk]. Null for none.
   */
  public LinearCall decay(Tensor decay) {
    return bind("decay", decay);
  }

  /**
   * Likewise for each row of a state, which are as many as a key has elements: [B, Sk, Hk, D], of
   * any floating type; packed: [Tk, Hk, D]. Null for none.
   */
  public LinearCall keyDecay(Tensor decay) {
    return bind("key_decay", decay);
  }

  /**
   * How much of what a state holds for a key gives way to its value, the delta rule: [B, Sk, Hk],
   * of any floating type and with any strides; packed: [Tk, Hk]. Null for none: values are added.
   */
  public LinearCall beta(Tensor beta) {
    return bind("beta", beta);
  }

  /** The state before the first key: [B, Hk, D, Dv] {@link DType#FLOAT32}. Null for zeros. */
  public LinearCall initialState(Tensor state) {
    return bind("initial_state", state);
  }

  /**
   * The sum of keys before the first, where out is normalised: [B, Hk, D] {@link DType#FLOAT32}.
   * Null for zeros.
   */
  public LinearCall initialSum(Tensor sum) {
    return bind("initial_sum", sum);
  }

  /**
   * Where the state behind the last key goes: [B, Hk, D, Dv] {@link DType#FLOAT32}. Null if it is
   * not wanted.
   */
  public LinearCall finalState(Tensor state) {
    return bindUnseen("final_state", state);
  }

  /**
   * Where the sum of keys behind the last goes, where out is normalised: [B, Hk, D] {@link
   * DType#FLOAT32}. Null if it is not wanted.
   */
  public LinearCall finalSum(Tensor sum) {
    return bindUnseen("final_sum", sum);
  }

  /**
   * The backward pass of this call's own forward, as {@link AttentionCall#gradients(Tensor)} is.
   *
   * @param dout the gradient of out: its shape and element type, in any stride order but with a
   *     contiguous last dimension
   */
  public LinearBackward gradients(Tensor dout) {
    return new LinearBackward(this, dout, null, new RunMemory());
  }

  /**
   * The backward pass of a forward that ran elsewhere, on the operands that are bound here, as
   * {@link AttentionCall#gradients(Tensor, Tensor, Tensor)} is.
   *
   * @param dout the gradient of out, as for {@link #gradients(Tensor)}
   * @param out what that forward wrote there
   */
  public LinearBackward gradients(Tensor dout, Tensor out) {
    return new LinearBackward(this, dout, Objects.requireNonNull(out, "out"), new RunMemory());
  }
}
