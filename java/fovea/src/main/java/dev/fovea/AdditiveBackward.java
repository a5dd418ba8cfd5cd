package dev.fovea;

/**
 * The backward pass of an {@link AdditiveCall}: from the gradient of out those of the operands.
 *
 * <p>With t, lse and p = exp(x - lse) as in {@link AdditiveAttention}, r what dropout multiplies a
 * weight p by, and delta_i = &lt;dout_i, out_i&gt;:
 *
 * <pre>
 *   dvalue_j = sum_i r_ij p_ij dout_i
 *   ds_ij    = p_ij (r_ij &lt;dout_i, value_j&gt; - delta_i)
 *   u_ija    = ds_ij weight_a (1 - t_ija^2)
 *   dquery_i = sum_j u_ij,  dkey_j = sum_i u_ij,  dbias = sum_ij u_ij,  dweight = sum_ij ds_ij t_ij
 * </pre>
 *
 * <p>dkey and dvalue are summed over the query heads that share a key head, dweight and dbias over
 * all sequences. Padding, and queries that see no key, have gradients of zero. {@link #accumulate}
 * adds to all but dquery.
 *
 * <p>Source: Bahdanau et al., 2014, arXiv 1409.0473.
 */
public final class AdditiveBackward extends SequenceBackward<AdditiveBackward> {
  /** {@code out} and {@code lse} are null for those of the call's last run. */
  AdditiveBackward(AdditiveCall call, Tensor dout, Tensor out, Tensor lse, RunMemory memory) {
    super(call, dout, out, lse, memory);
  }

  /** Where the gradient of weight goes: [Hq, A] {@link DType#FLOAT32}. Null if it is not wanted. */
  public AdditiveBackward dweight(Tensor dweight) {
    return bind("dweight", dweight);
  }

  /** Where the gradient of bias goes: [Hq, A] {@link DType#FLOAT32}. Null if it is not wanted. */
  public AdditiveBackward dbias(Tensor dbias) {
    return bind("dbias", dbias);
  }
}
