package dev.fovea;

/**
 * The backward pass of a {@link DistanceCall}: from the gradient of out those of the operands.
 *
 * <p>With x, lse and p = exp(x - lse) as in {@link DistanceAttention}, r what dropout multiplies a
 * weight p by, and delta_i = &lt;dout_i, out_i&gt;:
 *
 * <pre>
 *   dvalue_j   = sum_i r_ij p_ij dout_i
 *   ds_ij      = p_ij (r_ij &lt;dout_i, value_j&gt; - delta_i)
 *   u_ij       = ds_ij (key_j - query_i) / bandwidth^2
 *   dquery_i   = sum_j u_ij,  dkey_j = -sum_i u_ij
 *   dbandwidth = -2 / bandwidth sum_ij ds_ij x_ij
 * </pre>
 *
 * <p>For a {@link DistanceAttention.Builder#localLinear local linear fit}, with f_ij = 1 - &lt;c_i,
 * y_ij - m_i&gt;, e_i the slopes of the plane that fits g_ij = r_ij &lt;dout_i, value_j&gt;, and
 * t_ij = g_ij - sum_j p_ij g_ij - &lt;e_i, y_ij - m_i&gt;:
 *
 * <pre>
 *   dvalue_j   = sum_i r_ij p_ij f_ij dout_i
 *   ds_ij      = p_ij (f_ij t_ij + ridge &lt;c_i, e_i&gt;)
 *   dquery_i   = sum_j u_ij + e_i / |bandwidth|
 *   dkey_j     = -sum_i (u_ij + p_ij (f_ij e_i + t_ij c_i) / |bandwidth|)
 *   dbandwidth = -2 / bandwidth (sum_ij ds_ij x_ij - ridge sum_i &lt;c_i, e_i&gt;)
 * </pre>
 *
 * <p>dkey and dvalue are summed over the query heads that share a key head, dbandwidth over all
 * sequences. Padding, and queries that see no key, have gradients of zero. {@link #accumulate} adds
 * to all but dquery.
 */
public final class DistanceBackward extends SequenceBackward<DistanceBackward> {
  /** {@code out} and {@code lse} are null for those of the call's last run. */
  DistanceBackward(DistanceCall call, Tensor dout, Tensor out, Tensor lse, RunMemory memory) {
    super(call, dout, out, lse, memory);
  }

  /** Where the gradient of bandwidth goes: [Hq] {@link DType#FLOAT32}. Null if it is not wanted. */
  public DistanceBackward dbandwidth(Tensor dbandwidth) {
    return bind("dbandwidth", dbandwidth);
  }
}
