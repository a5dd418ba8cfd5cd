package dev.fovea;

import dev.fovea.ffi.FoveaEmbeddingSpec;
import dev.fovea.ffi.NativeEmbedding;
import dev.fovea.ffi.NativeOperation;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Embedding lookup: rows of a table by the ids of tokens, and, added, rows of another table by
 * their positions. What to compute, and nothing about shapes. Immutable and thread-safe.
 *
 * <p>With table [V, D], ids [B, S] and, where they are given, positions [P, D] and position ids [B,
 * S], which are s for row s where there are none:
 *
 * <pre>
 *   out_bs = scale * table_ids_bs + positions_positionIds_bs
 * </pre>
 *
 * <p>Arithmetic is float32. Without scale and positions rows are copied, each element rounded to
 * the type of out.
 *
 * <p>Source: Vaswani et al., Attention is all you need, 2017, arXiv 1706.03762, section 3.4, whose
 * scale is the root of D; Devlin et al., BERT, 2018, arXiv 1810.04805, whose positions are a table,
 * too.
 */
public final class EmbeddingLookup {
  /**
   * The fields of an {@link EmbeddingLookup}; a record for its equals and hashCode.
   *
   * @param scale null: 1
   * @param padding null: none
   * @param outDType null: that of table
   */
  record Options(Float scale, Long padding, DType outDType) implements OperationSpec {
    @Override
    public NativeOperation operation() {
      return NativeEmbedding.OPERATION;
    }

    @Override
    public void fill(MemorySegment spec) {
      operation().outDType().set(spec, outDType == null ? 0 : outDType.code());
      if (scale != null) {
        FoveaEmbeddingSpec.HAS_SCALE.set(spec, 1);
        FoveaEmbeddingSpec.SCALE.set(spec, scale);
      }
      if (padding != null) {
        FoveaEmbeddingSpec.HAS_PADDING.set(spec, 1);
        FoveaEmbeddingSpec.PADDING.set(spec, padding);
      }
    }

    @Override
    public String toString() {
      return "EmbeddingLookup[scale=%s%s%s]"
          .formatted(
              scale == null ? 1f : scale,
              padding == null ? "" : ", padding=" + padding,
              outDType == null ? "" : ", out=" + outDType);
    }
  }

  private final Options options;

  private EmbeddingLookup(Options options) {
    this.options = options;
  }

  /** Rows as they are, of ids that all have a gradient. Out in the type of table. */
  public static EmbeddingLookup create() {
    return new EmbeddingLookup(new Options(null, null, null));
  }

  /** The same with rows of table multiplied by a finite number. */
  public EmbeddingLookup scale(double scale) {
    if (!Float.isFinite((float) scale)) {
      throw new IllegalArgumentException("scale is " + scale + ", expected a finite number");
    }
    return new EmbeddingLookup(new Options((float) scale, options.padding, options.outDType));
  }

  /**
   * The same with no gradient for that row of table, which the forward pass reads like any other:
   * the id of padding. Planning refuses one that is no row.
   */
  public EmbeddingLookup padding(long id) {
    if (id < 0) {
      throw new IllegalArgumentException("padding is " + id + ", expected 0 or more");
    }
    return new EmbeddingLookup(new Options(options.scale, id, options.outDType));
  }

  /** The same with out in that floating type. */
  public EmbeddingLookup outDType(DType dtype) {
    Check.floating("outDType", dtype);
    return new EmbeddingLookup(new Options(options.scale, options.padding, dtype));
  }

  /**
   * Binds operands, in any stride order but with a contiguous last dimension: table [V, D], ids [B,
   * S] {@link DType#INT32}. The CPU refuses an id that is no row of table before it writes
   * anything; a device that cannot say so gives NaN for it. Nothing else is checked before the call
   * is planned or run.
   */
  public EmbeddingLookupCall call(Tensor table, Tensor ids) {
    return new EmbeddingLookupCall(this, table, ids, new RunMemory());
  }

  /**
   * Computes into a new dense tensor [B, S, D] of {@code scope}.
   *
   * @throws IllegalArgumentException if operands do not fit together, or an id is no row of table
   * @throws UnsupportedOperationException if the device has no kernel for this
   * @throws IllegalStateException if a scope or arena is closed
   * @throws FoveaException if the library or the device fails
   */
  public Tensor forward(Scope scope, Tensor table, Tensor ids) {
    return scope.withMemory(
        memory -> new EmbeddingLookupCall(this, table, ids, memory).forward(scope));
  }

  Options options() {
    return options;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof EmbeddingLookup that && options.equals(that.options);
  }

  @Override
  public int hashCode() {
    return Objects.hash(EmbeddingLookup.class, options);
  }

  @Override
  public String toString() {
    return options.toString();
  }
}
