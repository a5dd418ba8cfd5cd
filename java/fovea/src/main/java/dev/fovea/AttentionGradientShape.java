package dev.fovea;

import dev.fovea.AttentionShape.Strides;
import java.util.Objects;

/**
 * What a backward pass has beside the operands of its forward: what {@link Attention#planBackward}
 * needs to know of it. Absent operands are null.
 *
 * @param dtype of dquery, dkey and dvalue
 * @param dout strides of dout
 * @param dquery strides of dquery
 * @param dkey strides of dkey
 * @param dvalue strides of dvalue
 * @param dbias strides of dbias, 0 for a dimension that is summed over; null if it is not wanted
 * @param dalibi strides of dalibiSlopes by batch and head, 0 for a dimension that is summed over;
 *     null if they are not wanted
 * @param dsinks true if dsinks is wanted
 * @param accumulate true if dkey and dvalue are added to what is there
 * @param deterministic true if every run is to give the same bits
 */
public record AttentionGradientShape(
    DType dtype,
    Strides dout,
    Strides dquery,
    Strides dkey,
    Strides dvalue,
    Strides dbias,
    Strides dalibi,
    boolean dsinks,
    boolean accumulate,
    boolean deterministic) {

  /** Checks only that nothing needed is missing: the planner checks the numbers. */
  public AttentionGradientShape {
    Objects.requireNonNull(dtype, "dtype");
    Objects.requireNonNull(dout, "dout");
    Objects.requireNonNull(dquery, "dquery");
    Objects.requireNonNull(dkey, "dkey");
    Objects.requireNonNull(dvalue, "dvalue");
  }

  /** Dense gradients, in the type of query, of a forward of {@code shape}; nothing optional. */
  public static Builder dense(AttentionShape shape) {
    return new Builder(shape);
  }

  /** Builds an {@link AttentionGradientShape}; strides not set are those of dense operands. */
  public static final class Builder {
    private DType dtype;
    private Strides dout;
    private Strides dquery;
    private Strides dkey;
    private Strides dvalue;
    private Strides dbias;
    private Strides dalibi;
    private boolean dsinks;
    private boolean accumulate;
    private boolean deterministic;

    private Builder(AttentionShape shape) {
      dtype = shape.dtype();
      boolean packed = shape.packed();
      long queries = shape.queryLength();
      long keys = shape.keyLength();
      dout = Strides.rows(packed, queries, shape.queryHeads(), shape.valueHeadDim());
      dquery = Strides.rows(packed, queries, shape.queryHeads(), shape.headDim());
      dkey = Strides.rows(packed, keys, shape.keyHeads(), shape.headDim());
      dvalue = Strides.rows(packed, keys, shape.keyHeads(), shape.valueHeadDim());
    }

    /** Element type of dquery, dkey and dvalue, where it is not that of query. */
    public Builder dtype(DType type) {
      dtype = type;
      return this;
    }

    /** Strides of dout. */
    public Builder dout(Strides strides) {
      dout = strides;
      return this;
    }

    /** Strides of dquery. */
    public Builder dquery(Strides strides) {
      dquery = strides;
      return this;
    }

    /** Strides of dkey. */
    public Builder dkey(Strides strides) {
      dkey = strides;
      return this;
    }

    /** Strides of dvalue. */
    public Builder dvalue(Strides strides) {
      dvalue = strides;
      return this;
    }

    /** dbias is wanted, with these strides, 0 for a dimension that is summed over. */
    public Builder dbias(Strides strides) {
      dbias = strides;
      return this;
    }

    /** dalibiSlopes are wanted, with these strides, 0 for a dimension that is summed over. */
    public Builder dalibiSlopes(Strides strides) {
      dalibi = strides;
      return this;
    }

    /** dsinks is wanted. */
    public Builder dsinks() {
      dsinks = true;
      return this;
    }

    /** dkey and dvalue are added to what is there. */
    public Builder accumulate() {
      accumulate = true;
      return this;
    }

    /** Every run is to give the same bits. */
    public Builder deterministic() {
      deterministic = true;
      return this;
    }

    /** The shape. */
    public AttentionGradientShape build() {
      return new AttentionGradientShape(
          dtype, dout, dquery, dkey, dvalue, dbias, dalibi, dsinks, accumulate, deterministic);
    }
  }
}
