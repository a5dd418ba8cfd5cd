package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Visibility;
import java.util.List;

/**
 * What one case computes and which optional operands it has.
 *
 * @param dtype of query, and of key and value unless these lie in a cache
 * @param outDType of out
 * @param queryScales which scales queries of e4m3 are multiplied by
 * @param causal key j is seen where j is at most the query's position
 * @param topLeft positions count from the first key instead of from the last
 * @param windowLeft keys seen to the left of the position, -1: all
 * @param windowRight keys seen to the right of the position, -1: all
 * @param scale of the scores, null: 1/sqrt(D)
 * @param softcap 0: off
 * @param positions what joins the products of queries and keys
 * @param bias which dimensions of the bias are broadcast
 * @param biasDType of the bias, null without one
 * @param mask which dimensions of the mask that is an operand are broadcast
 * @param relative what is added by distance, or null
 * @param blocks the block mask; null for none
 * @param imageWindow of two dimensions; null for none
 * @param modifier what becomes of scores first; null for nothing
 * @param alibi which slopes are given
 * @param rows operands with one element for a query row
 * @param gates of keys and of out
 * @param sinks one score per head joins every sum
 * @param dropout probability of dropping
 * @param seed key of the dropout's random numbers
 * @param offset last word of their counter
 * @param lse is asked for
 * @param weights are asked for
 * @param top of the largest weights of a query that are listed, beside all of them; 0: none
 * @param allowTf32 products of float32 may round their factors
 */
public record Options(
    DType dtype,
    DType outDType,
    QueryScales queryScales,
    boolean causal,
    boolean topLeft,
    long windowLeft,
    long windowRight,
    Float scale,
    float softcap,
    Positions positions,
    Bias bias,
    DType biasDType,
    Bias mask,
    Relative relative,
    Blocks blocks,
    ImageWindow imageWindow,
    Modifier modifier,
    Alibi alibi,
    List<RowOperand> rows,
    Gates gates,
    boolean sinks,
    float dropout,
    long seed,
    int offset,
    boolean lse,
    boolean weights,
    int top,
    boolean allowTf32) {

  /** Shapes of bias and mask; the dimensions not named are 1. The keys are never broadcast. */
  public enum Bias {
    NONE(false, false, false),
    FULL(true, true, true),
    HEAD_QUERY(false, true, true),
    BATCH_QUERY(true, false, true),
    BATCH_HEAD(true, true, false),
    QUERY(false, false, true),
    HEAD(false, true, false),
    BATCH(true, false, false),
    KEY_ONLY(false, false, false);

    final boolean perBatch;
    final boolean perHead;
    final boolean perQuery;

    Bias(boolean perBatch, boolean perHead, boolean perQuery) {
      this.perBatch = perBatch;
      this.perHead = perHead;
      this.perQuery = perQuery;
    }
  }

  /** Shapes of the scales of queries: [B or 1, Hk or 1]; the dimensions not named are 1. */
  public enum QueryScales {
    NONE(false, false),
    BATCH_HEAD(true, true),
    BATCH(true, false),
    HEAD(false, true),
    ONE(false, false);

    final boolean perBatch;
    final boolean perHead;

    QueryScales(boolean perBatch, boolean perHead) {
      this.perBatch = perBatch;
      this.perHead = perHead;
    }
  }

  /** Shapes of the ALiBi slopes. */
  public enum Alibi {
    NONE,
    PER_HEAD,
    PER_BATCH_HEAD
  }

  /** Which keys a query sees. */
  public Visibility visibility() {
    return new Visibility(causal, topLeft, windowLeft, windowRight);
  }

  /** Whether queries are of e4m3, and with them mostly all that products take. */
  public boolean isFloat8() {
    return dtype == DType.FLOAT8_E4M3;
  }

  /** True if a bias is given. */
  public boolean hasBias() {
    return bias != Bias.NONE;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(dtype.name());
    if (outDType != dtype) {
      text.append("->").append(outDType);
    }
    if (queryScales != QueryScales.NONE) {
      text.append(" queryScales=").append(queryScales);
    }
    if (causal) {
      text.append(" causal");
    }
    if (topLeft) {
      text.append(" top-left");
    }
    if (windowLeft >= 0 || windowRight >= 0) {
      text.append(" window=(").append(windowLeft).append(',').append(windowRight).append(')');
    }
    if (scale != null) {
      text.append(" scale=").append(scale);
    }
    if (softcap > 0) {
      text.append(" softcap=").append(softcap);
    }
    text.append(positions);
    if (hasBias()) {
      text.append(" bias=").append(bias).append('/').append(biasDType);
    }
    if (mask != Bias.NONE) {
      text.append(" mask=").append(mask);
    }
    if (relative != null) {
      text.append(' ').append(relative);
    }
    if (blocks != null) {
      text.append(' ').append(blocks);
    }
    if (imageWindow != null) {
      text.append(' ').append(imageWindow);
    }
    if (modifier != null) {
      text.append(" modifier=").append(modifier);
    }
    if (alibi != Alibi.NONE) {
      text.append(" alibi=").append(alibi);
    }
    for (RowOperand it : rows) {
      text.append(' ').append(it);
    }
    if (gates.hasKeys()) {
      text.append(" keyGates=").append(gates.keys());
    }
    if (gates.hasOutput()) {
      text.append(" outputGates=").append(gates.output()).append('/').append(gates.outputType());
      text.append(gates.ungated() ? " ungated" : "");
    }
    if (sinks) {
      text.append(" sinks");
    }
    if (dropout > 0) {
      text.append(" dropout=").append(dropout).append('/').append(seed).append('/').append(offset);
    }
    text.append(lse ? " lse" : "").append(weights ? " weights" : "");
    if (top > 0) {
      text.append(" top=").append(top);
    }
    return text.append(allowTf32 ? " tf32" : "").toString();
  }
}
