package dev.fovea;

import dev.fovea.ffi.NativeAttention;
import java.lang.foreign.Arena;

/** Operands that fit together, to be changed until they do not. */
final class SmallOperands {
  private SmallOperands() {}

  static Tensor tensor(DType type, long... shape) {
    return Tensor.of(Arena.ofAuto().allocate(1 << 16, 64), type, shape);
  }

  static Tensor floats(long... shape) {
    return tensor(DType.FLOAT32, shape);
  }

  static Tensor ints(long... shape) {
    return tensor(DType.INT32, shape);
  }

  static Bindings of(Tensor query, Tensor key, Tensor value, Tensor out) {
    return new Bindings(NativeAttention.OPERATION)
        .set("query", query)
        .set("key", key)
        .set("value", value)
        .set("out", out);
  }

  /** B 2, Sq 3, Sk 5, Hq 4, Hk 2, D 8, Dv 6. */
  static Bindings dense() {
    return of(floats(2, 3, 4, 8), floats(2, 5, 2, 8), floats(2, 5, 2, 6), floats(2, 3, 4, 6));
  }

  /** B 2, Tq 7, Tk 11, Hq 4, Hk 2, D 8, Dv 6, at most 4 queries and 9 keys a sequence. */
  static Bindings packed() {
    return of(floats(7, 4, 8), floats(11, 2, 8), floats(11, 2, 6), floats(7, 4, 6))
        .set("cu_seqlens_q", ints(3))
        .set("cu_seqlens_k", ints(3))
        .longest("query_length", 4)
        .longest("key_length", 9);
  }

  /** With what a backward pass must have, of these shapes. */
  static Bindings withGradients(Bindings forward, Tensor lse) {
    return forward
        .set("lse", lse)
        .set("dout", floats(forward.get("out").shape()))
        .set("dquery", floats(forward.get("query").shape()))
        .set("dkey", floats(forward.get("key").shape()))
        .set("dvalue", floats(forward.get("value").shape()));
  }

  static Bindings denseBackward() {
    return withGradients(dense(), floats(2, 4, 3));
  }

  static Bindings packedBackward() {
    return withGradients(packed(), floats(4, 7));
  }
}
