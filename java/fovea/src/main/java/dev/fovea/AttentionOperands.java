package dev.fovea;

import dev.fovea.AttentionShape.Strides;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** The operands of an {@link AttentionCall}; those that are absent are null. */
final class AttentionOperands extends OperandSet implements Cloneable {
  private static final String[] BIAS = {"B or 1", "Hq or 1", "Sq or 1", "Sk"};
  private static final String[] PACKED_BIAS = {"Hq or 1", "Tq", "longest Sk"};

  final Tensor query;
  final Tensor key;
  final Tensor value;
  Tensor bias;
  Tensor alibiSlopes;
  Tensor sinks;
  Tensor cuSeqlensQ;
  Tensor cuSeqlensK;
  Tensor queryLengths;
  Tensor keyLengths;
  Tensor out;
  Tensor lse;
  Tensor weights;
  long longestQuery;
  long longestKey;

  AttentionOperands(Tensor query, Tensor key, Tensor value) {
    this.query = query;
    this.key = key;
    this.value = value;
  }

  /** A copy with other results. */
  AttentionOperands with(Tensor out, Tensor lse) {
    try {
      AttentionOperands copy = (AttentionOperands) clone();
      copy.out = out;
      copy.lse = lse;
      return copy;
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  /** A dense tensor that fits as out, if the rest fits together. */
  Tensor newOut(Scope scope, Attention.Options options) {
    if (query.rank() == 0 || value.rank() == 0) {
      throw new IllegalArgumentException(
          "query is " + query.description() + ", value " + value.description());
    }
    long[] shape = query.shape();
    shape[shape.length - 1] = value.size(value.rank() - 1);
    return scope.allocate(outDType(options), shape);
  }

  private DType outDType(Attention.Options options) {
    return options.outDType() != null ? options.outDType() : query.dtype();
  }

  boolean packed() {
    return cuSeqlensQ != null;
  }

  @Override
  Device device() {
    return query.device();
  }

  @Override
  Map<String, Tensor> read() {
    Map<String, Tensor> read = new LinkedHashMap<>();
    read.put("query", query);
    read.put("key", key);
    read.put("value", value);
    read.put("bias", bias);
    read.put("alibiSlopes", alibiSlopes);
    read.put("sinks", sinks);
    read.put("cuSeqlens of query", cuSeqlensQ);
    read.put("cuSeqlens of key", cuSeqlensK);
    read.put("queryLengths", queryLengths);
    read.put("keyLengths", keyLengths);
    return read;
  }

  @Override
  Map<String, Tensor> written() {
    Map<String, Tensor> written = new LinkedHashMap<>();
    written.put("out", out);
    written.put("lse", lse);
    written.put("weights", weights);
    return written;
  }

  /**
   * Checks everything that can be checked without the library, but not that results are writable,
   * and says what the planner must know.
   */
  AttentionShape shape(Attention.Options options) {
    if (out == null) {
      throw new IllegalStateException("out is not set: a call needs a tensor to write to");
    }
    checkDevice(query.device());
    checkTypes(options);
    if (packed()) {
      return packedShape();
    }
    try {
      return denseShape();
    } catch (IllegalArgumentException refusal) {
      if (fitsSwapped()) {
        throw new IllegalArgumentException(
            ("%s; query is %s: is that [B, Hq, Sq, D]? permute(0, 2, 1, 3) makes it [B, Sq, Hq, D]")
                .formatted(refusal.getMessage(), Arrays.toString(query.rawShape())),
            refusal);
      }
      throw refusal;
    }
  }

  /** True if all would fit with positions and heads the other way round. */
  private boolean fitsSwapped() {
    for (Tensor rows : new Tensor[] {query, key, value, out}) {
      if (rows.rank() != 4) {
        return false;
      }
    }
    AttentionOperands swapped = new AttentionOperands(swap(query), swap(key), swap(value));
    swapped.bias = bias;
    swapped.alibiSlopes = alibiSlopes;
    swapped.sinks = sinks;
    swapped.queryLengths = queryLengths;
    swapped.keyLengths = keyLengths;
    swapped.out = swap(out);
    swapped.lse = lse;
    swapped.weights = weights;
    try {
      swapped.denseShape();
      return true;
    } catch (IllegalArgumentException refusal) {
      return false;
    }
  }

  private static Tensor swap(Tensor rows) {
    return rows.permute(0, 2, 1, 3);
  }

  private void checkTypes(Attention.Options options) {
    Check.floating("query", query);
    Check.dtype("key", key, query.dtype());
    Check.dtype("value", value, query.dtype());
    Check.dtype("out", out, outDType(options));
    if (bias != null) {
      Check.floating("bias", bias);
    }
    if (lse != null) {
      Check.dtype("lse", lse, DType.FLOAT32);
    }
    if (weights != null) {
      Check.dtype("weights", weights, DType.FLOAT32);
    }
  }

  private AttentionShape denseShape() {
    if (query.rank() == 3) {
      throw new IllegalArgumentException(
          "query has rank 3: that is a packed batch, which needs cuSeqlens");
    }
    Check.shape("query", query, "[B, Sq, Hq, D]", Check.ANY, Check.ANY, Check.ANY, Check.ANY);
    long batch = query.size(0);
    long rows = query.size(1);
    long heads = query.size(2);
    Check.shape("key", key, "[B, Sk, Hk, D]", batch, Check.ANY, Check.ANY, query.size(3));
    long keys = key.size(1);
    Check.shape("value", value, "[B, Sk, Hk, Dv]", batch, keys, key.size(2), Check.ANY);
    Check.shape("out", out, "[B, Sq, Hq, Dv]", batch, rows, heads, value.size(3));
    var builder =
        AttentionShape.dense(query.dtype(), batch, rows, keys, heads, key.size(2), query.size(3));
    if (lse != null) {
      Check.shape("lse", lse, "[B, Hq, Sq]", batch, heads, rows);
      Check.innermost("lse", lse);
      builder.lse(new Strides(lse.stride(0), 1, lse.stride(1)));
    }
    if (weights != null) {
      Check.shape("weights", weights, "[B, Hq, Sq, Sk]", batch, heads, rows, keys);
      Check.innermost("weights", weights);
      builder.weights(new Strides(weights.stride(0), weights.stride(2), weights.stride(1)));
    }
    if (bias != null) {
      Check.leftBroadcastShape("bias", bias, BIAS, 3, batch, heads, rows, keys);
      Check.innermost("bias", bias);
      builder.bias(
          bias.dtype(), new Strides(broadcast(bias, 4), broadcast(bias, 2), broadcast(bias, 3)));
    }
    lengths("queryLengths", queryLengths, batch);
    lengths("keyLengths", keyLengths, batch);
    return common(builder, batch)
        .query(rowStrides("query", query))
        .key(rowStrides("key", key))
        .value(rowStrides("value", value))
        .out(rowStrides("out", out))
        .build();
  }

  private AttentionShape packedShape() {
    Check.shape("query", query, "[Tq, Hq, D]", Check.ANY, Check.ANY, Check.ANY);
    long rows = query.size(0);
    long heads = query.size(1);
    Check.shape("key", key, "[Tk, Hk, D]", Check.ANY, Check.ANY, query.size(2));
    Check.shape("value", value, "[Tk, Hk, Dv]", key.size(0), key.size(1), Check.ANY);
    Check.shape("out", out, "[Tq, Hq, Dv]", rows, heads, value.size(2));
    Check.shape("cuSeqlens of query", cuSeqlensQ, "[B + 1]", Check.ANY);
    long batch = cuSeqlensQ.size(0) - 1;
    if (batch < 0) {
      throw new IllegalArgumentException("cuSeqlens of query is empty, expected [B + 1] offsets");
    }
    lengths("cuSeqlens of query", cuSeqlensQ, batch + 1);
    lengths("cuSeqlens of key", cuSeqlensK, batch + 1);
    lengths("queryLengths", queryLengths, batch);
    lengths("keyLengths", keyLengths, batch);
    var builder =
        AttentionShape.packed(
            query.dtype(),
            batch,
            longestQuery,
            longestKey,
            rows,
            key.size(0),
            heads,
            key.size(1),
            query.size(2));
    if (lse != null) {
      Check.shape("lse", lse, "[Hq, Tq]", heads, rows);
      Check.innermost("lse", lse);
      builder.lse(new Strides(0, 1, lse.stride(0)));
    }
    if (weights != null) {
      Check.shape("weights", weights, "[Hq, Tq, longest Sk]", heads, rows, longestKey);
      Check.innermost("weights", weights);
      builder.weights(new Strides(0, weights.stride(1), weights.stride(0)));
    }
    if (bias != null) {
      Check.leftBroadcastShape("bias", bias, PACKED_BIAS, 1, heads, rows, longestKey);
      Check.innermost("bias", bias);
      builder.bias(bias.dtype(), new Strides(0, bias.stride(bias.rank() - 2), broadcast(bias, 3)));
    }
    return common(builder, batch)
        .query(rowStrides("query", query))
        .key(rowStrides("key", key))
        .value(rowStrides("value", value))
        .out(rowStrides("out", out))
        .build();
  }

  private AttentionShape.Builder common(AttentionShape.Builder builder, long batch) {
    int head = query.rank() - 2;
    long heads = query.size(head);
    long keyHeads = key.size(head);
    if (keyHeads != 0 && heads % keyHeads != 0) {
      throw new IllegalArgumentException(
          "query has %d heads, expected a multiple of the %d heads of key"
              .formatted(heads, keyHeads));
    }
    if (alibiSlopes != null) {
      Check.dtype("alibiSlopes", alibiSlopes, DType.FLOAT32);
      if (alibiSlopes.rank() == 2) {
        Check.shape("alibiSlopes", alibiSlopes, "[B, Hq]", batch, heads);
        builder.alibiSlopes(new Strides(alibiSlopes.stride(0), 0, alibiSlopes.stride(1)));
      } else {
        Check.shape("alibiSlopes", alibiSlopes, "[Hq] or [B, Hq]", heads);
        builder.alibiSlopes(new Strides(0, 0, alibiSlopes.stride(0)));
      }
    }
    if (sinks != null) {
      Check.dtype("sinks", sinks, DType.FLOAT32);
      Check.shape("sinks", sinks, "[Hq]", heads);
      Check.innermost("sinks", sinks);
      builder.sinks();
    }
    if (queryLengths != null) {
      builder.queryLengths();
    }
    if (keyLengths != null) {
      builder.keyLengths();
    }
    return builder.valueHeadDim(value.size(head + 1));
  }

  private static void lengths(String name, Tensor tensor, long size) {
    if (tensor != null) {
      Check.dtype(name, tensor, DType.INT32);
      Check.shape(name, tensor, "one for each sequence", size);
      Check.innermost(name, tensor);
    }
  }

  /** Strides of [B, S, H, D] or [T, H, D]. */
  static Strides rowStrides(String name, Tensor tensor) {
    Check.innermost(name, tensor);
    int head = tensor.rank() - 2;
    return new Strides(
        head == 2 ? tensor.stride(0) : 0, tensor.stride(head - 1), tensor.stride(head));
  }

  /** The stride of a dimension that is counted from the last, which is 1; one may be missing. */
  private static long broadcast(Tensor tensor, int fromLast) {
    int dim = tensor.rank() - fromLast;
    return dim < 0 || tensor.size(dim) == 1 ? 0 : tensor.stride(dim);
  }
}
