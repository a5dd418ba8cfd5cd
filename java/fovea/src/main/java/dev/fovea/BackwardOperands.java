package dev.fovea;

import dev.fovea.AttentionShape.Strides;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** The operands of an {@link AttentionBackward}; those that are absent are null. */
final class BackwardOperands extends OperandSet {
  AttentionOperands forward; // with the out and lse that are read
  Tensor dout;
  Tensor dquery;
  Tensor dkey;
  Tensor dvalue;
  Tensor dbias;
  Tensor dalibiSlopes;
  Tensor dsinks;
  boolean accumulate;
  boolean deterministic;

  BackwardOperands(AttentionOperands forward, Tensor dout) {
    this.forward = forward;
    this.dout = dout;
  }

  @Override
  Device device() {
    return forward.device();
  }

  @Override
  Map<String, Tensor> read() {
    Map<String, Tensor> read = forward.read();
    read.put("dout", dout);
    read.put("out", forward.out);
    read.put("lse", forward.lse);
    return read;
  }

  @Override
  Map<String, Tensor> written() {
    Map<String, Tensor> written = new LinkedHashMap<>();
    written.put("dquery", dquery);
    written.put("dkey", dkey);
    written.put("dvalue", dvalue);
    written.put("dbias", dbias);
    written.put("dalibiSlopes", dalibiSlopes);
    written.put("dsinks", dsinks);
    return written;
  }

  /** These, with new dense tensors for the gradients of query, key and value that are not set. */
  BackwardOperands allocated(Scope scope) {
    DType dtype =
        Stream.of(dquery, dkey, dvalue, forward.query)
            .filter(tensor -> tensor != null)
            .findFirst()
            .orElseThrow()
            .dtype();
    BackwardOperands all = new BackwardOperands(forward, dout);
    all.dquery = orNew(dquery, scope, dtype, forward.query);
    all.dkey = orNew(dkey, scope, dtype, forward.key);
    all.dvalue = orNew(dvalue, scope, dtype, forward.value);
    all.dbias = dbias;
    all.dalibiSlopes = dalibiSlopes;
    all.dsinks = dsinks;
    all.accumulate = accumulate;
    all.deterministic = deterministic;
    return all;
  }

  private static Tensor orNew(Tensor set, Scope scope, DType dtype, Tensor like) {
    return set != null ? set : scope.allocate(dtype, like.rawShape());
  }

  /** Checks that nothing needed is missing: the rest of the checks may then look at it. */
  void requireSet() {
    requireSet("out of the call", forward.out, "a backward pass reads what its forward wrote");
    requireSet("lse of the call", forward.lse, "a backward pass reads what its forward wrote");
    requireSet("dquery", dquery, "set it, or let backward(scope) allocate it");
    requireSet("dkey", dkey, "set it, or let backward(scope) allocate it");
    requireSet("dvalue", dvalue, "set it, or let backward(scope) allocate it");
  }

  private static void requireSet(String name, Tensor tensor, String why) {
    if (tensor == null) {
      throw new IllegalStateException(name + " is not set: " + why);
    }
  }

  /**
   * Checks everything that the forward's operands do not decide, as {@link AttentionOperands#shape}
   * does, and says what the planner must know. Those of the forward have been checked.
   */
  AttentionGradientShape shape() {
    checkDevice(forward.query.device());
    Check.floating("dquery", dquery);
    return new AttentionGradientShape(
        dquery.dtype(),
        rows("dout", dout, "out", forward.out, forward.out.dtype()),
        rows("dquery", dquery, "query", forward.query, dquery.dtype()),
        rows("dkey", dkey, "key", forward.key, dquery.dtype()),
        rows("dvalue", dvalue, "value", forward.value, dquery.dtype()),
        biasStrides(),
        slopeStrides(),
        sinks(),
        accumulate,
        deterministic);
  }

  private static Strides rows(String name, Tensor tensor, String of, Tensor like, DType dtype) {
    Check.dtype(name, tensor, dtype);
    Check.shape(name, tensor, "that of " + of, like.rawShape());
    return AttentionOperands.rowStrides(name, tensor);
  }

  private Strides biasStrides() {
    if (dbias == null) {
      return null;
    }
    optional("dbias", dbias, "bias", forward.bias);
    Check.innermost("dbias", dbias);
    int position = dbias.rank() - 2;
    long heads = summed("dbias", dbias, position - 1);
    return forward.packed()
        ? new Strides(0, kept("dbias", dbias, position), heads)
        : new Strides(
            summed("dbias", dbias, position - 2), summed("dbias", dbias, position), heads);
  }

  private Strides slopeStrides() {
    if (dalibiSlopes == null) {
      return null;
    }
    optional("dalibiSlopes", dalibiSlopes, "alibiSlopes", forward.alibiSlopes);
    int head = dalibiSlopes.rank() - 1;
    return new Strides(
        head == 1 ? kept("dalibiSlopes", dalibiSlopes, 0) : 0,
        0,
        kept("dalibiSlopes", dalibiSlopes, head));
  }

  private boolean sinks() {
    if (dsinks == null) {
      return false;
    }
    optional("dsinks", dsinks, "sinks", forward.sinks);
    Check.innermost("dsinks", dsinks);
    return true;
  }

  private static void optional(String name, Tensor tensor, String of, Tensor like) {
    if (like == null) {
      throw new IllegalArgumentException(name + " is set, but the call has no " + of);
    }
    Check.dtype(name, tensor, DType.FLOAT32);
    Check.shape(name, tensor, "that of " + of, like.rawShape());
  }

  /** What is broadcast in the forward, or missing, is summed over: to the planner, stride 0. */
  private static long summed(String name, Tensor tensor, int dim) {
    return dim < 0 || tensor.size(dim) == 1 ? 0 : kept(name, tensor, dim);
  }

  /**
   * A stride that cannot be taken for a sum: the kernel would write elements that are not there.
   */
  private static long kept(String name, Tensor tensor, int dim) {
    if (tensor.size(dim) > 1 && tensor.stride(dim) == 0 && tensor.elements() > 0) {
      throw new IllegalArgumentException(
          "%s has stride 0 in dimension %d of size %d, expected distinct elements"
              .formatted(name, dim, tensor.size(dim)));
    }
    return Math.max(1, tensor.stride(dim));
  }
}
