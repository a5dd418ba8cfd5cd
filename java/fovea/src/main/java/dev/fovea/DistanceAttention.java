package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDistanceSpec;
import dev.fovea.ffi.NativeDistance;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Distance attention: kernel regression with the Gaussian kernel, or attention with weights by the
 * distance of query and key. What to compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With query [B, Sq, Hq, D], key [B, Sk, Hk, D], value [B, Sk, Hk, Dv] and bandwidth [Hq], where
 * query head h reads key/value head h / (Hq / Hk), for query i and key j:
 *
 * <pre>
 *   x_ij  = -|query_i - key_j|^2 / (2 bandwidth^2)
 *   x_ij  = -infinity                                 where masked
 *   lse_i = ln(sum_j exp(x_ij))
 *   out_i = sum_j dropout(exp(x_ij - lse_i)) value_j
 * </pre>
 *
 * <p>With keys that are the inputs of observations and values that are what was observed, out is
 * the estimate of Nadaraya and Watson at the queries, the local constant fit of locally weighted
 * regression. {@link Builder#localLinear} makes it the local linear fit, which has no bias where
 * values rise or fall evenly, nor at the edge of what was observed. The bandwidth is in the units
 * of query and key; it can be learnt. Squared distances are sums of squared differences, so that
 * what queries and keys have in common, such as a large mean, costs no accuracy; one that leaves
 * float32, of 1.8e19 or more, counts as infinite. Only the square of a bandwidth matters; where it
 * is 0 or NaN, rows of its head are NaN.
 *
 * <p>Positions, masks and queries that see no key are as in {@link Attention}. Neither scores nor
 * differences are ever in memory. Sums are float32 or better. The same inputs give the same bits
 * for any batch size and any number of threads.
 *
 * <p>Source: Nadaraya, On estimating regression, 1964; Watson, Smooth regression analysis, 1964;
 * Cleveland, Robust locally weighted regression and smoothing scatterplots, 1979; Cleveland and
 * Devlin, Locally weighted regression, 1988; Atkeson, Moore and Schaal, Locally weighted learning,
 * 1997.
 */
public final class DistanceAttention {
  /**
   * The fields of an {@link DistanceAttention}; a record for its equals and hashCode. {@code ridge}
   * is null for a constant fit.
   */
  record Options(MaskOptions masks, Float ridge) implements MaskedSpec {
    static final Options DEFAULT = new Options(MaskOptions.DEFAULT, null);

    @Override
    public NativeOperation operation() {
      return NativeDistance.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      masks.fill(operation(), spec);
      if (ridge != null) {
        FoveaDistanceSpec.FIT.set(spec, Abi.LOCAL_LINEAR);
        FoveaDistanceSpec.RIDGE.set(spec, ridge);
      }
    }

    @Override
    public String toString() {
      return masks.describe(
          "DistanceAttention", ridge == null ? "" : ", fit=linear, ridge=" + ridge);
    }
  }

  private final Options options;
  private final DistanceAttention eval; // this, where there is no dropout

  private DistanceAttention(Options options) {
    this.options = options;
    this.eval =
        options.masks.dropout() == 0
            ? this
            : new DistanceAttention(new Options(options.masks.withoutDropout(), options.ridge));
  }

  /** Full attention with all defaults: no mask, out in the query's type. */
  public static DistanceAttention create() {
    return new DistanceAttention(Options.DEFAULT);
  }

  /** A builder with all defaults. */
  public static Builder builder() {
    return new Builder(Options.DEFAULT);
  }

  /** A builder that starts from this. */
  public Builder toBuilder() {
    return new Builder(options);
  }

  /**
   * The same attention without dropout, for inference; this, where there is none. Always the same
   * object.
   */
  public DistanceAttention eval() {
    return eval;
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: query [B, Sq, Hq, D],
   * key [B, Sk, Hk, D], value [B, Sk, Hk, Dv], bandwidth [Hq] {@link DType#FLOAT32}; or, for {@link
   * SequenceCall#cuSeqlens packed} sequences, [Tq, Hq, D], [Tk, Hk, D], [Tk, Hk, Dv] and the same
   * bandwidth. Nothing is checked before the call is planned or run.
   */
  public DistanceCall call(Tensor query, Tensor key, Tensor value, Tensor bandwidth) {
    return new DistanceCall(this, query, key, value, bandwidth, new RunMemory());
  }

  /**
   * Computes attention into a new dense tensor [B, Sq, Hq, Dv] of {@code scope}, as {@link
   * Attention#forward(Scope, Tensor, Tensor, Tensor)} does.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if there is dropout, or a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor query, Tensor key, Tensor value, Tensor bandwidth) {
    return scope.withMemory(
        memory -> new DistanceCall(this, query, key, value, bandwidth, memory).forward(scope));
  }

  /**
   * The same with dropout, for one step of training.
   *
   * @param seed with {@code offset} names the weights that are dropped: as in {@link
   *     SoftmaxCall#dropoutSeed}, each step has its own pair
   * @throws RuntimeException as {@link #forward(Scope, Tensor, Tensor, Tensor, Tensor)}
   */
  public Tensor forward(
      Scope scope,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor bandwidth,
      long seed,
      int offset) {
    return scope.withMemory(
        memory ->
            new DistanceCall(this, query, key, value, bandwidth, memory)
                .dropoutSeed(seed, offset)
                .forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof DistanceAttention that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(DistanceAttention.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }

  /** Builds an {@link DistanceAttention}. Not thread-safe. */
  public static final class Builder extends MaskBuilder<Builder> {
    private static final float LEAST_RIDGE = 0x1p-32f;
    private static final float MOST_RIDGE = 0x1p32f;

    private Float ridge; // null: a constant fit

    private Builder(Options from) {
      super(from.masks);
      ridge = from.ridge;
    }

    /**
     * Fits a constant to the values around each query, their weighted mean. What is done unless
     * set.
     */
    public Builder localConstant() {
      ridge = null;
      return this;
    }

    /**
     * Fits a plane to the values around each query by weighted least squares; out is its height at
     * the query. With y_ij = (key_j - query_i) / |bandwidth| and p_ij = exp(x_ij - lse_i), that is
     * the a of the plane a + &lt;b, y&gt; with the least
     *
     * <pre>
     *   sum_j p_ij |value_j - a - &lt;b, y_ij&gt;|^2 + ridge |b|^2
     * </pre>
     *
     * <p>or, with m_i = sum_j p_ij y_ij,
     *
     * <pre>
     *   c_i   = (sum_j p_ij (y_ij - m_i) (y_ij - m_i)^T + ridge I)^-1 m_i
     *   out_i = sum_j dropout(p_ij (1 - &lt;c_i, y_ij - m_i&gt;)) value_j
     * </pre>
     *
     * <p>whose factors of value_j have a sum of 1, and may be negative; lse and weights are those
     * before the fit. Keys that determine a plane have that one without a ridge; along directions
     * in which they do not vary it is level. D is at most 16, or a plan refuses it: each query has
     * a matrix of D rows. Planes are computed in float64 and err as their weights do: nothing is
     * promised of queries so far from all keys, beyond sqrt(2^19 / D) bandwidths, that float32 does
     * not tell weights apart.
     *
     * @param ridge in squares of the bandwidth, 0 or 2^-32 to 2^32; 0 counts as 2^-32. Keys that
     *     lie evenly around a query have a variance of 1: 0.01 lowers slopes by 1 percent, and
     *     keeps those small that few keys, or keys almost in a plane, do not determine
     */
    public Builder localLinear(double ridge) {
      float value = (float) ridge;
      if (value != 0 && !(value >= LEAST_RIDGE && value <= MOST_RIDGE)) {
        throw new IllegalArgumentException("ridge is " + ridge + ", expected 0 or 2^-32 to 2^32");
      }
      this.ridge = value == 0 ? 0f : value; // no -0, which is another record
      return this;
    }

    /** The attention; this builder may go on. */
    public DistanceAttention build() {
      return new DistanceAttention(new Options(maskOptions(), ridge));
    }
  }
}
