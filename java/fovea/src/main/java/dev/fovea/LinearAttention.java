package dev.fovea;

import dev.fovea.ffi.FoveaLinearSpec;
import dev.fovea.ffi.NativeLinear;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Linear attention, retention, and their gated and delta rules: what to compute, and nothing about
 * shapes. Immutable and thread-safe.
 *
 * <p>With query [B, Sq, Hq, D], key [B, Sk, Hk, D] and value [B, Sk, Hk, Dv], where query head h
 * reads the state of key head h / (Hq / Hk), a matrix S [D, Dv] that the keys change in their
 * order; and what the call is given beside them, decays and beta:
 *
 * <pre>
 *   a_j   = exp(decay_j + keyDecay_j)                 of each row of S; 1 without decays
 *   S_j   = a_j S_(j-1) + phi(key_j) u_j^T            S_(-1) is the initial state, or 0
 *   u_j   = value_j
 *   u_j   = beta_j (value_j - (a_j S_(j-1))^T phi(key_j))     the delta rule, if beta is given
 *   out_i = scale phi(query_i)^T S                    scale is 1 unless set
 *   out_i = phi(query_i)^T S / phi(query_i)^T z       if normalised; z_j = a_j z_(j-1) + phi(key_j)
 * </pre>
 *
 * <p>Causal, query i reads the state behind key i + key length - query length, the initial one
 * where that is before all keys; else the state behind the last key, and there are neither decays
 * nor beta, which depend on order. Where a sum of weights is 0, out is 0. One key and one query
 * with an initial and a final state are a step of decoding.
 *
 * <p>Time is linear in the lengths, and memory does not depend on them, but for a backward pass
 * with decays or beta. States and sums are float32. The same inputs give the same bits for any
 * batch size and any number of threads.
 *
 * <p>Sources: Katharopoulos et al., 2020, arXiv 2006.16236; retention, with a decay for each head:
 * Sun et al., 2023, arXiv 2307.08621; decays that depend on data: Yang et al., 2023, arXiv
 * 2312.06635; the delta rule: Yang et al., 2024, arXiv 2406.06484, and with decays 2412.06464.
 */
public final class LinearAttention {
  /** What maps queries and keys to features. */
  public enum FeatureMap {
    /** x. */
    IDENTITY,
    /** x + 1 where x is above 0, else exp(x). */
    ELU_PLUS_ONE,
    /** x where it is above 0, else 0. */
    RELU
  }

  /** The fields of a {@link LinearAttention}; a record for its equals and hashCode. */
  record Options(
      boolean causal,
      boolean normalised,
      FeatureMap featureMap,
      Float scale, // null: 1
      DType outDType)
      implements MaskedSpec {
    static final Options DEFAULT = new Options(false, true, FeatureMap.ELU_PLUS_ONE, null, null);
    static final Options RETENTION = new Options(true, false, FeatureMap.IDENTITY, null, null);

    @Override
    public NativeOperation operation() {
      return NativeLinear.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      if (outDType != null) {
        FoveaLinearSpec.OUT_DTYPE.set(spec, outDType.code());
      }
      FoveaLinearSpec.CAUSAL.set(spec, causal ? 1 : 0);
      FoveaLinearSpec.NORMALISED.set(spec, normalised ? 1 : 0);
      FoveaLinearSpec.FEATURE_MAP.set(
          spec,
          switch (featureMap) {
            case IDENTITY -> 0;
            case ELU_PLUS_ONE -> 1;
            case RELU -> 2;
          });
      if (scale != null) {
        FoveaLinearSpec.HAS_SCALE.set(spec, 1);
        FoveaLinearSpec.SCALE.set(spec, scale);
      }
    }

    @Override
    public MaskOptions masks() {
      return new MaskOptions(
          causal,
          Attention.Alignment.BOTTOM_RIGHT,
          Attention.UNBOUNDED,
          Attention.UNBOUNDED,
          0,
          outDType);
    }

    @Override
    public String toString() {
      String own = ", features=" + featureMap + (normalised ? ", normalised" : "");
      return masks().describe("LinearAttention", own + (scale == null ? "" : ", scale=" + scale));
    }
  }

  private final Options options;

  private LinearAttention(Options options) {
    this.options = options;
  }

  /**
   * Linear attention of Katharopoulos et al.: elu(x) + 1, normalised, every query sees all keys.
   */
  public static LinearAttention create() {
    return new LinearAttention(Options.DEFAULT);
  }

  /**
   * Retention: causal, features as they are, not normalised. {@link LinearCall#decay} takes the
   * logarithms of its gammas, [Hk]. With {@link LinearCall#keyDecay} or {@link LinearCall#beta} it
   * is gated linear attention or DeltaNet.
   */
  public static LinearAttention retention() {
    return new LinearAttention(Options.RETENTION);
  }

  /** A builder that starts from {@link #create()}. */
  public static Builder builder() {
    return new Builder(Options.DEFAULT);
  }

  /** A builder that starts from this. */
  public Builder toBuilder() {
    return new Builder(options);
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: query [B, Sq, Hq, D],
   * key [B, Sk, Hk, D], value [B, Sk, Hk, Dv]; or, for {@link SequenceCall#cuSeqlens packed}
   * sequences, [Tq, Hq, D], [Tk, Hk, D], [Tk, Hk, Dv]. Nothing is checked before the call is
   * planned or run.
   */
  public LinearCall call(Tensor query, Tensor key, Tensor value) {
    return new LinearCall(this, query, key, value, new RunMemory());
  }

  /**
   * Computes into a new dense tensor [B, Sq, Hq, Dv] of {@code scope}, as {@link
   * Attention#forward(Scope, Tensor, Tensor, Tensor)} does.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor query, Tensor key, Tensor value) {
    return scope.withMemory(
        memory -> new LinearCall(this, query, key, value, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof LinearAttention that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(LinearAttention.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }

  /** Builds a {@link LinearAttention}. Not thread-safe. */
  public static final class Builder {
    private boolean causal;
    private boolean normalised;
    private FeatureMap featureMap;
    private Float scale;
    private DType outDType;

    private Builder(Options from) {
      causal = from.causal;
      normalised = from.normalised;
      featureMap = from.featureMap;
      scale = from.scale;
      outDType = from.outDType;
    }

    /** Whether a query reads the state at its own position, not the last. */
    public Builder causal(boolean causal) {
      this.causal = causal;
      return this;
    }

    /** Whether out is divided by the sum of its weights. */
    public Builder normalised(boolean normalised) {
      this.normalised = normalised;
      return this;
    }

    /** What maps queries and keys to features. */
    public Builder featureMap(FeatureMap map) {
      featureMap = Objects.requireNonNull(map, "map");
      return this;
    }

    /** What out is multiplied by; not where it is normalised. */
    public Builder scale(double scale) {
      float value = (float) scale;
      if (!Float.isFinite(value)) {
        throw new IllegalArgumentException("scale is " + scale + ", expected a finite number");
      }
      this.scale = value;
      return this;
    }

    /** The element type of out, instead of the query's. */
    public Builder outDType(DType dtype) {
      if (!dtype.isFloating()) {
        throw new IllegalArgumentException("outDType is " + dtype + ", expected a floating type");
      }
      this.outDType = dtype;
      return this;
    }

    /** The operation; this builder may go on. */
    public LinearAttention build() {
      return new LinearAttention(new Options(causal, normalised, featureMap, scale, outDType));
    }
  }
}
