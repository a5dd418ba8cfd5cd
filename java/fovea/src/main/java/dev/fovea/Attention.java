package dev.fovea;

import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Scaled dot-product attention: what to compute, and nothing about shapes. Immutable and
 * thread-safe.
 *
 * <p>With query [B, Sq, Hq, D], key [B, Sk, Hk, D] and value [B, Sk, Hk, Dv], where query head h
 * reads key/value head h / (Hq / Hk), for query i and key j:
 *
 * <pre>
 *   x_ij  = scale * &lt;q_i, k_j&gt;                        scale is 1/sqrt(D) unless set
 *   x_ij  = scale * (&lt;q_i + u_h, k_j&gt; + &lt;q_i + w_h, r_t&gt;), t = position_i - j
 *                                                     if a content bias u, a position bias w or
 *                                                     position keys r are given to the call
 *   x_ij  = modifier(x_ij, b, h, position_i, j)       if a {@link ScoreModifier} is set
 *   x_ij  = softcap * tanh(x_ij / softcap)            if a softcap is set
 *   x_ij += bias_ij, or ALiBi slopes times distance   if given to the call
 *   x_ij += table_h,bucket(j - position_i)            if a relative bias is given to the call
 *   x_ij -= (j - center_i)^2 / (2 sigma^2)            if centers are given to the call
 *   x_ij += ln(clamp((ramp + span_i - (position_i - j)) / ramp, 0, 1))   if spans are
 *   x_ij  = -infinity                                 where masked, mask_ij is false, no block lists j,
 *                                                     or its pixel is not near that of position_i
 *   lse_i = ln(sum_j exp(x_ij) + exp(sink))           the sink if given
 *   out_i = sum_j dropout(exp(x_ij - lse_i)) v_j      times sigmoid(g_j) if gates of keys are given
 *   out_id *= sigmoid(g_id)                           if gates of the result are
 * </pre>
 *
 * <p>Query i stands at position i + (key length - query length) among the keys, so that the last
 * query meets the last key; with {@link Alignment#TOP_LEFT} at position i. A query that sees no key
 * gives out = 0 and lse = -infinity. Sums are float32 or better. The same inputs give the same bits
 * for any batch size and any number of threads.
 *
 * <p>Source: Vaswani et al., 2017, arXiv 1706.03762; computed in tiles after Dao, 2023, arXiv
 * 2307.08691.
 */
public final class Attention {
  /** A side of a window without a bound. */
  public static final long UNBOUNDED = -1;

  /** How query positions meet key positions where the two lengths differ. */
  public enum Alignment {
    /** Query i is at position i + key length - query length: the last query sees the last key. */
    BOTTOM_RIGHT,
    /** Query i is at position i. */
    TOP_LEFT
  }

  /** The fields of an {@link Attention}; a record for its equals and hashCode. */
  record Options(
      MaskOptions masks,
      Float scale, // null: 1/sqrt(D)
      float softcap,
      float gaussianSigma,
      float spanRamp,
      long positionOrigin, // 0: not set
      long blockQueries, // 0: no block mask
      long blockKeys,
      ImageWindow imageWindow, // null: none
      ScoreModifier scoreModifier, // null: none
      boolean allowTf32)
      implements MaskedSpec {

    record ImageWindow(long width, long rows, long columns) {}

    static final Options DEFAULT =
        new Options(MaskOptions.DEFAULT, null, 0, 0, 0, 0, 0, 0, null, null, false);

    Options withoutDropout() {
      return new Options(
          masks.withoutDropout(),
          scale,
          softcap,
          gaussianSigma,
          spanRamp,
          positionOrigin,
          blockQueries,
          blockKeys,
          imageWindow,
          scoreModifier,
          allowTf32);
    }

    @Override
    public NativeOperation operation() {
      return NativeAttention.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      masks.fill(operation(), spec);
      if (scale != null) {
        FoveaAttentionSpec.HAS_SCALE.set(spec, 1);
        FoveaAttentionSpec.SCALE.set(spec, scale);
      }
      FoveaAttentionSpec.SOFTCAP.set(spec, softcap);
      FoveaAttentionSpec.GAUSSIAN_SIGMA.set(spec, gaussianSigma);
      FoveaAttentionSpec.SPAN_RAMP.set(spec, spanRamp);
      if (positionOrigin != 0) {
        FoveaAttentionSpec.HAS_POSITION_ORIGIN.set(spec, 1);
        FoveaAttentionSpec.POSITION_ORIGIN.set(spec, positionOrigin);
      }
      if (blockQueries != 0) {
        FoveaAttentionSpec.HAS_BLOCK_QUERIES.set(spec, 1);
        FoveaAttentionSpec.HAS_BLOCK_KEYS.set(spec, 1);
        FoveaAttentionSpec.BLOCK_QUERIES.set(spec, blockQueries);
        FoveaAttentionSpec.BLOCK_KEYS.set(spec, blockKeys);
      }
      if (imageWindow != null) {
        FoveaAttentionSpec.HAS_IMAGE_WIDTH.set(spec, 1);
        FoveaAttentionSpec.HAS_WINDOW_ROWS.set(spec, 1);
        FoveaAttentionSpec.HAS_WINDOW_COLUMNS.set(spec, 1);
        FoveaAttentionSpec.IMAGE_WIDTH.set(spec, imageWindow.width);
        FoveaAttentionSpec.WINDOW_ROWS.set(spec, imageWindow.rows);
        FoveaAttentionSpec.WINDOW_COLUMNS.set(spec, imageWindow.columns);
      }
      if (scoreModifier != null) {
        FoveaAttentionSpec.HAS_MODIFIER_PROGRAM.set(spec, 1);
        FoveaAttentionSpec.MODIFIER_WORDS.set(spec, scoreModifier.program().words().length);
        FoveaAttentionSpec.HAS_MODIFIER_KEY.set(spec, 1);
        FoveaAttentionSpec.MODIFIER_KEY.set(spec, scoreModifier.program().key());
      }
      FoveaAttentionSpec.ALLOW_TF32.set(spec, allowTf32 ? 1 : 0);
    }

    @Override
    public void prepare(AttentionPlan plan) {
      if (scoreModifier != null) {
        ModifierCompiler.compile(plan, scoreModifier.program());
      }
    }

    @Override
    public String toString() {
      StringBuilder own = new StringBuilder();
      if (scale != null) {
        own.append(", scale=").append(scale);
      }
      if (softcap != 0) {
        own.append(", softcap=").append(softcap);
      }
      if (gaussianSigma != 0) {
        own.append(", gaussianSigma=").append(gaussianSigma);
      }
      if (spanRamp != 0) {
        own.append(", spanRamp=").append(spanRamp);
      }
      if (positionOrigin != 0) {
        own.append(", positionOrigin=").append(positionOrigin);
      }
      if (blockQueries != 0) {
        own.append(", blocks=").append(blockQueries).append('x').append(blockKeys);
      }
      if (imageWindow != null) {
        own.append(", window of ")
            .append(imageWindow.rows)
            .append('x')
            .append(imageWindow.columns)
            .append(" in images ")
            .append(imageWindow.width)
            .append(" wide");
      }
      if (scoreModifier != null) {
        own.append(", scoreModifier=").append(scoreModifier);
      }
      if (allowTf32) {
        own.append(", TF32 allowed");
      }
      return masks.describe("Attention", own.toString());
    }
  }

  private final Options options;
  private final Attention eval; // this, where there is no dropout

  private Attention(Options options) {
    this.options = options;
    this.eval = options.masks.dropout() == 0 ? this : new Attention(options.withoutDropout());
  }

  /** Full attention with all defaults: no mask, scale 1/sqrt(D), out in the query's type. */
  public static Attention create() {
    return new Attention(Options.DEFAULT);
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
  public Attention eval() {
    return eval;
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: query [B, Sq, Hq, D],
   * key [B, Sk, Hk, D], value [B, Sk, Hk, Dv]; or, for {@link AttentionCall#cuSeqlens packed}
   * sequences, [Tq, Hq, D], [Tk, Hk, D] and [Tk, Hk, Dv]. Nothing is checked before the call is
   * planned or run.
   */
  public AttentionCall call(Tensor query, Tensor key, Tensor value) {
    return new AttentionCall(this, query, key, value, new RunMemory());
  }

  /**
   * Computes attention into a new dense tensor [B, Sq, Hq, Dv] of {@code scope}, which lives until
   * that scope is closed: in a loop, close one for each turn, a {@linkplain Scope#child child} for
   * example, or bind {@link AttentionCall#out}. The device keeps plans, and the scope or its parent
   * working memory, for the next time. With dropout it takes a {@linkplain #forward(Scope, Tensor,
   * Tensor, Tensor, long, int) seed}, or is called on {@link #eval}.
   *
   * @throws IllegalArgumentException if operands do not fit together
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if there is dropout, or a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor query, Tensor key, Tensor value) {
    return scope.withMemory(
        memory -> new AttentionCall(this, query, key, value, memory).forward(scope));
  }

  /**
   * The same with dropout, for one step of training.
   *
   * @param seed with {@code offset} names the weights that are dropped: as in {@link
   *     AttentionCall#dropoutSeed}, each step has its own pair
   * @throws RuntimeException as {@link #forward(Scope, Tensor, Tensor, Tensor)}
   */
  public Tensor forward(
      Scope scope, Tensor query, Tensor key, Tensor value, long seed, int offset) {
    return scope.withMemory(
        memory ->
            new AttentionCall(this, query, key, value, memory)
                .dropoutSeed(seed, offset)
                .forward(scope));
  }

  /**
   * Computes the gradients of query, key and value into new dense tensors of {@code scope}, in the
   * type of query. Plans and memory are kept as by {@link #forward}. What this has no parameter
   * for, a bias, lengths or a seed of dropout, needs an {@link AttentionCall}; so does the lse of
   * the forward pass:
   *
   * {@snippet :
   * Tensor lse = scope.allocate(DType.FLOAT32, batch, heads, length);
   * Tensor out = attention.call(query, key, value).lse(lse).forward(scope);
   * AttentionGradients gradients = attention.backward(scope, dout, query, key, value, out, lse);
   * }
   *
   * @param dout the gradient of out, [B, Sq, Hq, Dv] in the type of out
   * @param out what the forward pass gave
   * @param lse what the forward pass gave, [B, Hq, Sq] {@link DType#FLOAT32}
   * @throws RuntimeException as {@link AttentionBackward#run}
   */
  public AttentionGradients backward(
      Scope scope, Tensor dout, Tensor query, Tensor key, Tensor value, Tensor out, Tensor lse) {
    Objects.requireNonNull(out, "out");
    Objects.requireNonNull(lse, "lse");
    AttentionCall call = call(query, key, value);
    return scope.withMemory(
        memory -> new AttentionBackward(call, dout, out, lse, memory).backward(scope));
  }

  /**
   * Plans without operands, the pass that {@code shape} is of. The same device and shape give the
   * same plan, and the last few are kept.
   *
   * @throws IllegalArgumentException if a number of {@code shape} is out of its range, or a
   *     backward pass lacks what a gradient is of
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws FoveaException if the library cannot be loaded
   */
  public AttentionPlan plan(Device device, AttentionShape shape) {
    return AttentionPlan.of(device, options, shape::fill);
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Attention that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return options.hashCode();
  }

  @Override
  public String toString() {
    return options.toString();
  }

  /** Builds an {@link Attention}. Not thread-safe. */
  public static final class Builder extends MaskBuilder<Builder> {
    private Float scale;
    private float softcap;
    private float gaussianSigma;
    private float spanRamp;
    private long positionOrigin;
    private long blockQueries;
    private long blockKeys;
    private Options.ImageWindow imageWindow;
    private ScoreModifier scoreModifier;
    private boolean allowTf32;

    private Builder(Options from) {
      super(from.masks);
      scale = from.scale;
      softcap = from.softcap;
      gaussianSigma = from.gaussianSigma;
      spanRamp = from.spanRamp;
      positionOrigin = from.positionOrigin;
      blockQueries = from.blockQueries;
      blockKeys = from.blockKeys;
      imageWindow = from.imageWindow;
      scoreModifier = from.scoreModifier;
      allowTf32 = from.allowTf32;
    }

    /** The factor of query times key, instead of 1/sqrt(D). */
    public Builder scale(double scale) {
      if (!Float.isFinite((float) scale)) {
        throw new IllegalArgumentException("scale is " + scale + ", expected a finite float");
      }
      this.scale = (float) scale;
      return this;
    }

    /**
     * Bounds scores by {@code softcap * tanh(score / softcap)}, from 2^-32 to 2^32; 0 switches it
     * off.
     */
    public Builder softcap(double softcap) {
      this.softcap = zeroOrWithin(32, "softcap", softcap);
      return this;
    }

    /**
     * The standard deviation, in keys, of the Gaussian around {@link
     * AttentionCall#gaussianCenters}, from 2^-20 to 2^20; 0, the default, for calls without
     * centers. Local attention (Luong et al., 2015, arXiv 1508.04025, equation 10) takes half its
     * window.
     */
    public Builder gaussianSigma(double sigma) {
      gaussianSigma = zeroOrWithin(20, "gaussianSigma", sigma);
      return this;
    }

    /**
     * The keys over which weights fall from 1 to 0 behind {@link AttentionCall#spans}, from 2^-20
     * to 2^20; 0, the default, for calls without spans. (Sukhbaatar et al., 2019, arXiv 1905.07799:
     * R of equation 4.)
     */
    public Builder spanRamp(double ramp) {
      spanRamp = zeroOrWithin(20, "spanRamp", ramp);
      return this;
    }

    /**
     * The row of {@link AttentionCall#positionKeys} for distance 0, from which those of keys behind
     * the query lie before it: 0, the default, where no such keys are seen, as under a causal mask,
     * and Sq - 1 for a bidirectional encoder that gives rows of all its distances, Sq + Sk - 1.
     */
    public Builder positionOrigin(long row) {
      if (row < 0) {
        throw new IllegalArgumentException(
            "positionOrigin is " + row + ", expected a row of positionKeys, 0 or more");
      }
      positionOrigin = row;
      return this;
    }

    /**
     * The queries and keys of a block of {@link AttentionCall#blockMask}, each 1 or more; 0 and 0,
     * the default, for calls without one. Kernels skip a tile of keys that has no listed block:
     * blocks of 64 or 128 waste least.
     */
    public Builder blockSize(long queries, long keys) {
      if (queries < 0 || keys < 0 || (queries == 0) != (keys == 0)) {
        throw new IllegalArgumentException(
            "blockSize is %d x %d, expected 1 or more of both, or 0 of both (off)"
                .formatted(queries, keys));
      }
      blockQueries = queries;
      blockKeys = keys;
      return this;
    }

    /**
     * What becomes of scaled scores, as an expression of Java; null, the default, for nothing. A
     * CPU interprets it, tile by tile. For a CUDA device it is compiled into the kernels, by the
     * NVRTC of a CUDA toolkit: seconds before the first run of a pass, once for each expression,
     * element type and width of heads, and half a megabyte that stays. Where there is no NVRTC,
     * runs on CUDA devices throw {@link UnsupportedOperationException}. Numbers that change from
     * step to step belong in the {@linkplain AttentionCall#modifierTable table}, not in the
     * expression.
     */
    public Builder scoreModifier(ScoreModifier modifier) {
      scoreModifier = modifier;
      return this;
    }

    /**
     * A window of two dimensions: the positions of queries and keys are pixels of an image, row by
     * row, and a query sees the keys at most {@code rows} rows above or below its own and at most
     * {@code columns} columns beside it, fewer at the image's edges. Causal masks and windows of
     * one dimension hold as well; a block mask does not go with it. Time is as the rows are:
     * kernels skip the keys above and below, and tiles of keys beside. (Ramachandran et al., 2019,
     * arXiv 1906.05909; with edges as there.)
     *
     * @param width pixels of an image row, 1 or more; 0, the default, for none
     * @param rows 0 or more
     * @param columns 0 or more
     */
    public Builder imageWindow(long width, long rows, long columns) {
      if (width < 0 || rows < 0 || columns < 0) {
        throw new IllegalArgumentException(
            "imageWindow is %d, %d, %d, expected a width of 1 or more, or 0 (off), and 0 or more"
                    .formatted(width, rows, columns)
                + " rows and columns");
      }
      imageWindow = width == 0 ? null : new Options.ImageWindow(width, rows, columns);
      return this;
    }

    /** A number from 2^-exponent to 2^exponent, or 0. */
    private static float zeroOrWithin(int exponent, String name, double number) {
      boolean within = number >= Math.scalb(1.0, -exponent) && number <= Math.scalb(1.0, exponent);
      if (number != 0 && !within) {
        throw new IllegalArgumentException(
            name
                + " is "
                + number
                + ", expected 0 (off) or a number from 2^-"
                + exponent
                + " to 2^"
                + exponent);
      }
      return (float) number;
    }

    /**
     * Whether the factors of float32 products may be rounded to TF32, 11 significant bits, on
     * devices that have it: tensor cores then take float32 as well. Off unless set; sums, softmax
     * and out stay float32, and so do all products of a backward pass. The CPU always computes
     * float32, and other types are not affected.
     */
    public Builder allowTf32(boolean allow) {
      allowTf32 = allow;
      return this;
    }

    /** The attention; this builder may go on. */
    public Attention build() {
      return new Attention(
          new Options(
              maskOptions(),
              scale,
              softcap,
              gaussianSigma,
              spanRamp,
              positionOrigin,
              blockQueries,
              blockKeys,
              imageWindow,
              scoreModifier,
              allowTf32));
    }
  }
}
