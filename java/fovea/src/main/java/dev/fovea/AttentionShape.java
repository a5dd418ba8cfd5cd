package dev.fovea;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.Operand;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The sizes, strides and presence of the operands of attention, or of its backward pass: what
 * {@link Attention#plan(Device, AttentionShape)} needs to know of them. Immutable.
 *
 * <p>Strides are elements from one index to the next, for every dimension of an operand but the
 * last, in their order: of query [B, Sq, Hq, D] those of B, Sq and Hq. Those of the batch are not
 * used where sequences are packed. 0 stands for a dimension that is broadcast, and in a gradient
 * for one that is summed over.
 */
public final class AttentionShape {
  private final MemorySegment spec; // on the heap, without options

  private AttentionShape(MemorySegment spec) {
    this.spec = spec;
  }

  /**
   * Dense operands [B, S, H, D]; nothing optional. {@code dtype} is that of query, key and value.
   *
   * @throws IllegalArgumentException if {@code dtype} is not a floating type
   */
  public static Builder dense(
      DType dtype,
      long batch,
      long queryLength,
      long keyLength,
      long queryHeads,
      long keyHeads,
      long headDim) {
    Builder builder = new Builder();
    FoveaAttentionSpec.SIZE.set(builder.spec, (int) FoveaAttentionSpec.LAYOUT.byteSize());
    FoveaAttentionSpec.DTYPE.set(builder.spec, dtype.code());
    FoveaAttentionSpec.BATCH.set(builder.spec, batch);
    FoveaAttentionSpec.QUERY_LENGTH.set(builder.spec, queryLength);
    FoveaAttentionSpec.KEY_LENGTH.set(builder.spec, keyLength);
    FoveaAttentionSpec.QUERY_HEADS.set(builder.spec, queryHeads);
    FoveaAttentionSpec.KEY_HEADS.set(builder.spec, keyHeads);
    FoveaAttentionSpec.HEAD_DIM.set(builder.spec, headDim);
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(builder.spec, headDim);
    return builder;
  }

  /**
   * Dense packed operands [T, H, D]; nothing optional. {@code dtype} is that of query, key and
   * value.
   *
   * @throws IllegalArgumentException if {@code dtype} is not a floating type
   */
  public static Builder packed(
      DType dtype,
      long batch,
      long longestQuery,
      long longestKey,
      long queryTotal,
      long keyTotal,
      long queryHeads,
      long keyHeads,
      long headDim) {
    Builder builder = dense(dtype, batch, longestQuery, longestKey, queryHeads, keyHeads, headDim);
    FoveaAttentionSpec.PACKED.set(builder.spec, 1);
    FoveaAttentionSpec.QUERY_TOTAL.set(builder.spec, queryTotal);
    FoveaAttentionSpec.KEY_TOTAL.set(builder.spec, keyTotal);
    return builder;
  }

  /** Fills a zeroed block with all but options. */
  void fill(MemorySegment block) {
    block.copyFrom(spec);
  }

  private static List<Operand> operands(MemorySegment spec) {
    return NativeAttention.OPERATION.operands(FoveaAttentionSpec.PASS.get(spec));
  }

  private static boolean isThere(MemorySegment spec, Operand operand) {
    return operand.present() == null || operand.present().get(spec) != 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof AttentionShape that && spec.mismatch(that.spec) < 0;
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(spec.toArray(ValueLayout.JAVA_LONG));
  }

  /** Sizes and what is there. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("AttentionShape[");
    text.append(NativeAttention.OPERATION.describeSizes(spec)).append(", ");
    text.append(DType.of(FoveaAttentionSpec.DTYPE.get(spec)));
    if (FoveaAttentionSpec.PASS.get(spec) == Abi.BACKWARD) {
      text.append(", backward");
    }
    for (Operand operand : operands(spec)) {
      if (operand.present() != null && isThere(spec, operand)) {
        text.append(", ").append(PassOperands.javaName(operand.name()));
      }
    }
    return text.append(']').toString();
  }

  /**
   * Builds an {@link AttentionShape}; strides that are not set are those of dense operands. Setters
   * refuse another number of strides than the operand has, and types that are not floating, with an
   * {@link IllegalArgumentException}; the planner checks all other numbers. Not thread-safe.
   */
  public static final class Builder {
    private final MemorySegment spec =
        MemorySegment.ofArray(new long[(int) (FoveaAttentionSpec.LAYOUT.byteSize() / Long.BYTES)]);
    private final Set<Field> strided = new HashSet<>();

    private Builder() {}

    /** Dv, where it is not D. */
    public Builder valueHeadDim(long size) {
      FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, size);
      return this;
    }

    /** Strides of query [B, Sq, Hq, D]. */
    public Builder query(long... strides) {
      return strides(FoveaAttentionSpec.QUERY_STRIDE, strides);
    }

    /** Strides of key [B, Sk, Hk, D]. */
    public Builder key(long... strides) {
      return strides(FoveaAttentionSpec.KEY_STRIDE, strides);
    }

    /** Strides of value [B, Sk, Hk, Dv]. */
    public Builder value(long... strides) {
      return strides(FoveaAttentionSpec.VALUE_STRIDE, strides);
    }

    /** Strides of out [B, Sq, Hq, Dv]. */
    public Builder out(long... strides) {
      return strides(FoveaAttentionSpec.OUT_STRIDE, strides);
    }

    /** lse is there: dense [B, Hq, Sq] or [Hq, Tq]. */
    public Builder lse() {
      FoveaAttentionSpec.HAS_LSE.set(spec, 1);
      return this;
    }

    /** lse [B, Hq, Sq] is there, with these strides. */
    public Builder lse(long... strides) {
      return lse().strides(FoveaAttentionSpec.LSE_STRIDE, strides);
    }

    /** A content bias [Hq, D] is there: dense. */
    public Builder contentBias() {
      FoveaAttentionSpec.HAS_CONTENT_BIAS.set(spec, 1);
      return this;
    }

    /** A position bias [Hq, D] is there: dense. */
    public Builder positionBias() {
      FoveaAttentionSpec.HAS_POSITION_BIAS.set(spec, 1);
      return this;
    }

    /** Position keys [rows, Hq or 1, D] with these strides. */
    public Builder positionKeys(long rows, long... strides) {
      FoveaAttentionSpec.HAS_POSITION_KEYS.set(spec, 1);
      FoveaAttentionSpec.POSITION_COUNT.set(spec, rows);
      return strides(FoveaAttentionSpec.POSITION_KEYS_STRIDE, strides);
    }

    /** A bias [B or 1, Hq or 1, Sq or 1, Sk] with these strides. */
    public Builder bias(DType type, long... strides) {
      FoveaAttentionSpec.BIAS_DTYPE.set(spec, type.code());
      return strides(FoveaAttentionSpec.BIAS_STRIDE, strides);
    }

    /** A mask [B or 1, Hq or 1, Sq or 1, Sk] with these strides. */
    public Builder mask(long... strides) {
      FoveaAttentionSpec.HAS_MASK.set(spec, 1);
      return strides(FoveaAttentionSpec.MASK_STRIDE, strides);
    }

    /**
     * A relative bias: {@code width} buckets of distances, and a table [Hq, columns] with these
     * strides: here of both.
     */
    public Builder relativeBias(long columns, long width, long... strides) {
      FoveaAttentionSpec.HAS_RELATIVE_TABLE.set(spec, 1);
      FoveaAttentionSpec.HAS_RELATIVE_BUCKETS.set(spec, 1);
      FoveaAttentionSpec.RELATIVE_COUNT.set(spec, columns);
      FoveaAttentionSpec.RELATIVE_WIDTH.set(spec, width);
      return strides(FoveaAttentionSpec.RELATIVE_TABLE_STRIDE, strides);
    }

    /**
     * A block mask: offsets [B or 1, Hq or 1, rows] and indices [B or 1, Hq or 1, room] with these
     * strides of batch and head: of the offsets, then of the indices; a dimension of 1 has a stride
     * of 0.
     */
    public Builder blockMask(long rows, long room, long... strides) {
      FoveaAttentionSpec.HAS_BLOCK_OFFSETS.set(spec, 1);
      FoveaAttentionSpec.HAS_BLOCK_INDICES.set(spec, 1);
      FoveaAttentionSpec.BLOCK_ROWS.set(spec, rows);
      FoveaAttentionSpec.BLOCK_COUNT.set(spec, room);
      if (strides.length != 4) {
        throw new IllegalArgumentException(
            "strides has %d numbers, expected 4".formatted(strides.length));
      }
      return strides(FoveaAttentionSpec.BLOCK_OFFSETS_STRIDE, strides[0], strides[1])
          .strides(FoveaAttentionSpec.BLOCK_INDICES_STRIDE, strides[2], strides[3]);
    }

    /** Weights are wanted: dense [B, Hq, Sq, Sk] or [Hq, Tq, Sk]. */
    public Builder weights() {
      FoveaAttentionSpec.HAS_WEIGHTS.set(spec, 1);
      return this;
    }

    /** Weights [B, Hq, Sq, Sk] are wanted, with these strides. */
    public Builder weights(long... strides) {
      return weights().strides(FoveaAttentionSpec.WEIGHTS_STRIDE, strides);
    }

    /**
     * The largest weights are wanted and their keys: dense [B, Hq, Sq, count] or [Hq, Tq, count].
     */
    public Builder topWeights(long count) {
      FoveaAttentionSpec.HAS_TOP_WEIGHTS.set(spec, 1);
      FoveaAttentionSpec.HAS_TOP_KEYS.set(spec, 1);
      FoveaAttentionSpec.TOP_COUNT.set(spec, count);
      return this;
    }

    /** ALiBi slopes [B or 1, Hq or 1] with these strides: here of both. */
    public Builder alibiSlopes(long... strides) {
      FoveaAttentionSpec.HAS_ALIBI_SLOPES.set(spec, 1);
      return strides(FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, strides);
    }

    /** Centers [B or 1, Hq or 1, Sq or 1] of a Gaussian with these strides: here of all three. */
    public Builder gaussianCenters(long... strides) {
      FoveaAttentionSpec.HAS_GAUSSIAN_CENTERS.set(spec, 1);
      return strides(FoveaAttentionSpec.GAUSSIAN_CENTERS_STRIDE, strides);
    }

    /** Spans [B or 1, Hq or 1, Sq or 1] with these strides: here of all three. */
    public Builder spans(long... strides) {
      FoveaAttentionSpec.HAS_SPANS.set(spec, 1);
      return strides(FoveaAttentionSpec.SPANS_STRIDE, strides);
    }

    /** Gates of keys [B or 1, Hq or 1, Sk] with these strides. */
    public Builder keyGates(long... strides) {
      FoveaAttentionSpec.HAS_KEY_GATES.set(spec, 1);
      return strides(FoveaAttentionSpec.KEY_GATES_STRIDE, strides);
    }

    /** Gates of out [B, Sq, Hq, Dv or 1] with these strides: here of all four, the last 1 or 0. */
    public Builder outputGates(DType type, long... strides) {
      FoveaAttentionSpec.OUTPUT_GATES_DTYPE.set(spec, type.code());
      return strides(FoveaAttentionSpec.OUTPUT_GATES_STRIDE, strides);
    }

    /** The result before gates of out [B, Sq, Hq, Dv] is wanted: dense. */
    public Builder ungated() {
      FoveaAttentionSpec.HAS_UNGATED.set(spec, 1);
      return this;
    }

    /** The same with these strides. */
    public Builder ungated(long... strides) {
      return ungated().strides(FoveaAttentionSpec.UNGATED_STRIDE, strides);
    }

    /** Sinks are given. */
    public Builder sinks() {
      FoveaAttentionSpec.HAS_SINKS.set(spec, 1);
      return this;
    }

    /** Lengths of the query sequences are given. */
    public Builder queryLengths() {
      FoveaAttentionSpec.HAS_QUERY_LENGTHS.set(spec, 1);
      return this;
    }

    /** Lengths of the key sequences are given. */
    public Builder keyLengths() {
      FoveaAttentionSpec.HAS_KEY_LENGTHS.set(spec, 1);
      return this;
    }

    /**
     * It is of a backward pass: lse must be there, weights and ungated have no part in it, and
     * gradients of query, key and value are of the type of query. Setters of gradients imply it.
     */
    public Builder backward() {
      FoveaAttentionSpec.PASS.set(spec, Abi.BACKWARD);
      return this;
    }

    /** As {@link #backward()}, with the element type of dquery, dkey and dvalue. */
    public Builder backward(DType type) {
      FoveaAttentionSpec.GRADIENT_DTYPE.set(spec, type.code());
      return backward();
    }

    /** Strides of dout [B, Sq, Hq, Dv]. */
    public Builder dout(long... strides) {
      return backward().strides(FoveaAttentionSpec.DOUT_STRIDE, strides);
    }

    /** Strides of dquery [B, Sq, Hq, D]. */
    public Builder dquery(long... strides) {
      return backward().strides(FoveaAttentionSpec.DQUERY_STRIDE, strides);
    }

    /** Strides of dkey [B, Sk, Hk, D]. */
    public Builder dkey(long... strides) {
      return backward().strides(FoveaAttentionSpec.DKEY_STRIDE, strides);
    }

    /** Strides of dvalue [B, Sk, Hk, Dv]. */
    public Builder dvalue(long... strides) {
      return backward().strides(FoveaAttentionSpec.DVALUE_STRIDE, strides);
    }

    /** dcontentBias [Hq, D] is wanted: dense. */
    public Builder dcontentBias() {
      FoveaAttentionSpec.HAS_DCONTENT_BIAS.set(spec, 1);
      return backward();
    }

    /** dpositionBias [Hq, D] is wanted: dense. */
    public Builder dpositionBias() {
      FoveaAttentionSpec.HAS_DPOSITION_BIAS.set(spec, 1);
      return backward();
    }

    /** dpositionKeys [rows, Hq or 1, D] are wanted, with these strides. */
    public Builder dpositionKeys(long... strides) {
      FoveaAttentionSpec.HAS_DPOSITION_KEYS.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DPOSITION_KEYS_STRIDE, strides);
    }

    /** dbias [B or 1, Hq or 1, Sq or 1, Sk] is wanted, with these strides. */
    public Builder dbias(long... strides) {
      FoveaAttentionSpec.HAS_DBIAS.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DBIAS_STRIDE, strides);
    }

    /** drelativeTable [Hq, columns] is wanted, with these strides: here of both. */
    public Builder drelativeTable(long... strides) {
      FoveaAttentionSpec.HAS_DRELATIVE_TABLE.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DRELATIVE_TABLE_STRIDE, strides);
    }

    /** dalibiSlopes [B or 1, Hq or 1] are wanted, with these strides: here of both. */
    public Builder dalibiSlopes(long... strides) {
      FoveaAttentionSpec.HAS_DALIBI_SLOPES.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, strides);
    }

    /** dgaussianCenters [B or 1, Hq or 1, Sq or 1] are wanted, with these strides. */
    public Builder dgaussianCenters(long... strides) {
      FoveaAttentionSpec.HAS_DGAUSSIAN_CENTERS.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DGAUSSIAN_CENTERS_STRIDE, strides);
    }

    /** dspans [B or 1, Hq or 1, Sq or 1] are wanted, with these strides. */
    public Builder dspans(long... strides) {
      FoveaAttentionSpec.HAS_DSPANS.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DSPANS_STRIDE, strides);
    }

    /** dkeyGates [B or 1, Hq or 1, Sk] are wanted, with these strides. */
    public Builder dkeyGates(long... strides) {
      FoveaAttentionSpec.HAS_DKEY_GATES.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DKEY_GATES_STRIDE, strides);
    }

    /** doutputGates [B, Sq, Hq, Dv or 1] are wanted, with these strides: here of all four. */
    public Builder doutputGates(long... strides) {
      FoveaAttentionSpec.HAS_DOUTPUT_GATES.set(spec, 1);
      return backward().strides(FoveaAttentionSpec.DOUTPUT_GATES_STRIDE, strides);
    }

    /** dsinks is wanted. */
    public Builder dsinks() {
      FoveaAttentionSpec.HAS_DSINKS.set(spec, 1);
      return backward();
    }

    /** dkey and dvalue are added to what is there. */
    public Builder accumulate() {
      FoveaAttentionSpec.ACCUMULATE.set(spec, 1);
      return backward();
    }

    /** Every run is to give the same bits. */
    public Builder deterministic() {
      FoveaAttentionSpec.DETERMINISTIC.set(spec, 1);
      return backward();
    }

    private Builder strides(Field.Int64Array field, long... strides) {
      if (strides.length != field.length()) {
        throw new IllegalArgumentException(
            "strides are %s, expected %d of them"
                .formatted(Arrays.toString(strides), field.length()));
      }
      for (int i = 0; i < strides.length; i++) {
        field.set(spec, i, strides[i]);
      }
      strided.add(field);
      return this;
    }

    /**
     * The shape.
     *
     * @throws IllegalArgumentException if the strides of dense operands overflow 64 bits
     */
    public AttentionShape build() {
      MemorySegment copy = MemorySegment.ofArray(spec.toArray(ValueLayout.JAVA_LONG));
      List<Operand> operands = operands(copy);
      for (Operand it : operands) {
        if (isThere(copy, it) && it.strides() != null && !strided.contains(it.strides())) {
          fillDense(copy, it);
        }
      }
      for (Operand it : NativeAttention.OPERATION.operands(Abi.FORWARD)) {
        if (operands.stream().noneMatch(that -> that.name().equals(it.name()))) {
          clear(copy, it);
        }
      }
      return new AttentionShape(copy);
    }

    private static void clear(MemorySegment spec, Operand operand) {
      operand.present().set(spec, 0);
      for (int i = 0; i < operand.strides().length(); i++) {
        operand.strides().set(spec, i, 0);
      }
    }

    private static void fillDense(MemorySegment spec, Operand operand) {
      boolean packed = FoveaAttentionSpec.PACKED.get(spec) != 0;
      List<Operand.Dim> dims = operand.dims();
      long[] sizes = new long[dims.size()];
      boolean total = packed;
      for (int i = 0; i < sizes.length; i++) {
        Operand.Size size = dims.get(i).size();
        boolean whole = total && dims.get(i).isPacked();
        total &= !whole;
        sizes[i] = size == null ? 1 : (whole ? size.total() : size.rows()).get(spec);
      }
      for (int i = packed ? 1 : 0; i < sizes.length - 1; i++) {
        long stride = Layouts.product(Arrays.copyOfRange(sizes, i + 1, sizes.length));
        operand.strides().set(spec, i, stride);
      }
    }
  }
}
