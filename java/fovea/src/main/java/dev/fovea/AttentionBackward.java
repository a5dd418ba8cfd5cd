package dev.fovea;

/**
 * The backward pass of an {@link AttentionCall}: from the gradient of out those of the operands.
 *
 * <p>With x, lse and p = exp(x - lse) as in {@link Attention}, r what dropout multiplies a weight
 * by, and delta_i = &lt;dout_i, out_i&gt;:
 *
 * <pre>
 *   dvalue_j = sum_i r_ij p_ij dout_i
 *   ds_ij    = p_ij (r_ij &lt;dout_i, value_j&gt; - delta_i)
 *   t_ij     = scale * ds_ij, times 1 - tanh(product / softcap)^2 with a softcap
 *   dquery_i = sum_j t_ij key_j,  dkey_j = sum_i t_ij query_i
 *   dquery_i += sum_j t_ij pos_n,  dw = sum_ij t_ij pos_n,  n = position_i - j, pos the position keys
 *   dpos_n   = sum of t_ij (query_i + w) where position_i - j = n, w the position bias
 *   du       = sum_ij t_ij key_j, u the content bias, and in dkey_j query_i + u for query_i
 *   dbias_ij = ds_ij,  dslope = sum_ij ds_ij * distance_ij
 *   dtable   = sum of ds_ij where a bucket has j - position_i
 *   dcenter  = sum_j ds_ij (j - center) / sigma^2
 *   dspan    = sum_j ds_ij / (ramp + span - (position_i - j)), over the keys of the ramp
 *   dgate_j  = s_j (1 - s_j) sum_i r_ij p_ij &lt;dout_i, value_j&gt;, of a key; with s_j = sigmoid(gate_j)
 *   dgate    = s (1 - s) dout ungated, of out, of a head summed over its elements
 *   dsink    = -sum_i exp(sink - lse_i) delta_i
 * </pre>
 *
 * <p>With gates of keys, s_j joins r_ij in dvalue and ds. With gates of out, dout stands for dout
 * times their sigmoid everywhere but in the last, and out for {@linkplain AttentionCall#ungated
 * that before them}.
 *
 * <p>dkey and dvalue are summed over the query heads that share a key head. Padding, and queries
 * that see no key, have gradients of zero.
 *
 * <p>Source: Dao, 2023, arXiv 2307.08691, section 3.1.2.
 */
public final class AttentionBackward extends SequenceBackward<AttentionBackward> {
  /** {@code out} and {@code lse} are null for those of the call's last run. */
  AttentionBackward(AttentionCall call, Tensor dout, Tensor out, Tensor lse, RunMemory memory) {
    super(call, dout, out, lse, memory);
  }

  /**
   * Where the gradient of the {@link AttentionCall#contentBias} goes: [Hq, D], {@link
   * DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dcontentBias(Tensor dcontentBias) {
    return bind("dcontent_bias", dcontentBias);
  }

  /**
   * Where the gradient of the {@link AttentionCall#positionBias} goes: [Hq, D], {@link
   * DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dpositionBias(Tensor dpositionBias) {
    return bind("dposition_bias", dpositionBias);
  }

  /**
   * Where the gradient of {@link AttentionCall#positionKeys} goes: their shape, in the type of
   * dquery. Rows of distances that no pair has are 0; where heads share rows it is their sum. Null
   * if it is not wanted.
   */
  public AttentionBackward dpositionKeys(Tensor dpositionKeys) {
    return bind("dposition_keys", dpositionKeys);
  }

  /**
   * Where the gradient of the bias goes: its shape, {@link DType#FLOAT32}. A dimension that the
   * bias is broadcast over, of size 1 or missing, is summed over. Null if it is not wanted.
   */
  public AttentionBackward dbias(Tensor dbias) {
    return bind("dbias", dbias);
  }

  /**
   * Where the gradient of the table of {@link AttentionCall#relativeBias} goes: [Hq, N], {@link
   * DType#FLOAT32}, with any strides. Null if it is not wanted.
   */
  public AttentionBackward drelativeTable(Tensor drelativeTable) {
    return bind("drelative_table", drelativeTable);
  }

  /**
   * Where the gradient of {@link AttentionCall#modifierTable} goes: its shape, {@link
   * DType#FLOAT32}, summed over the heads that share it. Null if it is not wanted.
   */
  public AttentionBackward dmodifierTable(Tensor dmodifierTable) {
    return bind("dmodifier_table", dmodifierTable);
  }

  /**
   * Where the gradient of the ALiBi slopes goes: their shape, {@link DType#FLOAT32}. A dimension
   * that the slopes are broadcast over, of size 1 or missing, is summed over. Null if it is not
   * wanted.
   */
  public AttentionBackward dalibiSlopes(Tensor dalibiSlopes) {
    return bind("dalibi_slopes", dalibiSlopes);
  }

  /**
   * Where the gradient of the centers goes: their shape, {@link DType#FLOAT32}, summed over what
   * they are broadcast over. Null if it is not wanted.
   */
  public AttentionBackward dgaussianCenters(Tensor dgaussianCenters) {
    return bind("dgaussian_centers", dgaussianCenters);
  }

  /**
   * Where the gradient of the spans goes: their shape, {@link DType#FLOAT32}, summed over what they
   * are broadcast over. Null if it is not wanted.
   */
  public AttentionBackward dspans(Tensor dspans) {
    return bind("dspans", dspans);
  }

  /**
   * Where the gradient of {@link AttentionCall#keyGates} goes: their shape, {@link DType#FLOAT32},
   * summed over what they are broadcast over. Null if it is not wanted.
   */
  public AttentionBackward dkeyGates(Tensor dkeyGates) {
    return bind("dkey_gates", dkeyGates);
  }

  /**
   * Where the gradient of {@link AttentionCall#outputGates} goes: their shape, {@link
   * DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward doutputGates(Tensor doutputGates) {
    return bind("doutput_gates", doutputGates);
  }

  /**
   * Where the gradient of the sinks goes: [Hq], {@link DType#FLOAT32}. Null if it is not wanted.
   */
  public AttentionBackward dsinks(Tensor dsinks) {
    return bind("dsinks", dsinks);
  }
}
