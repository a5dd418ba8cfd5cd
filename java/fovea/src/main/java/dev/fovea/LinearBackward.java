package dev.fovea;

/**
 * The backward pass of a {@link LinearCall}: from the gradient of out those of the operands. The
 * final state and sum have no part in it.
 *
 * <p>With S, a and u as in {@link LinearAttention}, written here without phi, groups of query heads
 * and normalisation, and M_i the gradient of S_i:
 *
 * <pre>
 *   dquery_i = scale S_i dout_i,  M_i = a_(i+1) (M_(i+1) - key_(i+1) e_(i+1)^T) + scale query_i dout_i^T
 *   dvalue_j = e_j = M_j^T key_j,  with beta beta_j times that
 *   dkey_j   = M_j u_j - (a_j S_(j-1)) e_j
 *   dbeta_j  = &lt;M_j^T key_j, value_j - (a_j S_(j-1))^T key_j&gt;
 *   dkeyDecay_j = sum over columns of (a_j S_(j-1)) * (M_j - key_j e_j^T),  ddecay_j = the sum of that
 * </pre>
 *
 * <p>where the terms with e in M and dkey are those of the delta rule alone. Gradients of what
 * query heads share are sums over these. Padding has gradients of zero. {@link #accumulate} adds to
 * all but dquery.
 *
 * <p>Sources: as for {@link LinearAttention}.
 */
public final class LinearBackward extends SequenceBackward<LinearBackward> {
  /** {@code out} is null for that of the call's last run. */
  LinearBackward(LinearCall call, Tensor dout, Tensor out, RunMemory memory) {
    super(call, dout, out, null, memory);
  }

  /**
   * Where the gradient of decay goes: its shape, {@link DType#FLOAT32}; where it has one element
   * for all sequences or positions, their sum. Null if it is not wanted.
   */
  public LinearBackward ddecay(Tensor ddecay) {
    return bind("ddecay", ddecay);
  }

  /** Where the gradient of keyDecay goes: its shape, {@link DType#FLOAT32}. Null if not wanted. */
  public LinearBackward dkeyDecay(Tensor dkeyDecay) {
    return bind("dkey_decay", dkeyDecay);
  }

  /** Where the gradient of beta goes: its shape, {@link DType#FLOAT32}. Null if not wanted. */
  public LinearBackward dbeta(Tensor dbeta) {
    return bind("dbeta", dbeta);
  }

  /** Where the gradient of the initial state goes: [B, Hk, D, Dv]. Null if not wanted. */
  public LinearBackward dinitialState(Tensor dstate) {
    return bind("dinitial_state", dstate);
  }

  /** Where the gradient of the initial sum goes: [B, Hk, D]. Null if not wanted. */
  public LinearBackward dinitialSum(Tensor dsum) {
    return bind("dinitial_sum", dsum);
  }
}
