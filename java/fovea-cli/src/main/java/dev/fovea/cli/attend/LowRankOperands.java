package dev.fovea.cli.attend;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeProjection;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What low-rank attention takes and gives: of attention and of projections what there is of both.
 */
final class LowRankOperands {

  static final Declaration DECLARATION =
      new Declaration(
          "low_rank",
          NativeAttention.OPERATION.sizes().getFirst(),
          List.of(
              attention("query"),
              attention("key"),
              attention("value"),
              projection("key_projection"),
              projection("value_projection"),
              attention("query_lengths"),
              attention("key_lengths"),
              attention("out"),
              attention("lse"),
              weights()),
          List.of(
              attention("dout"),
              attention("out"),
              attention("lse"),
              attention("dquery"),
              attention("dkey"),
              attention("dvalue"),
              projection("dkey_projection"),
              projection("dvalue_projection")),
          Set.of("dtype", "scale", "softcap", "dropout", "allow_tf32", "deterministic"),
          null);

  private LowRankOperands() {}

  private static Operand attention(String name) {
    return find(NativeAttention.OPERATION, name);
  }

  private static Operand find(NativeOperation operation, String name) {
    return Stream.of(Abi.FORWARD, Abi.BACKWARD)
        .flatMap(pass -> operation.operands(pass).stream())
        .filter(it -> it.name().equals(name))
        .reduce((forward, backward) -> backward.written() ? backward : forward)
        .orElseThrow();
  }

  /** A weight or its gradient, [Hk or 1, R, Sk]. */
  private static Operand projection(String name) {
    boolean gradient = name.startsWith("d");
    Operand weight = find(NativeProjection.OPERATION, gradient ? "dweight" : "weight");
    List<Dim> key = attention("key").dims();
    List<Dim> dims = List.of(new Dim(key.get(2).size(), true), weight.dims().get(1), key.get(1));
    return new Operand(
        name, weight.type(), gradient, null, weight.present(), weight.strides(), dims);
  }

  /** Of projected keys, [B, Hq, Sq, R]. */
  private static Operand weights() {
    Operand all = attention("weights");
    Size rank = find(NativeProjection.OPERATION, "out").dims().get(1).size();
    List<Dim> dims =
        Stream.concat(all.dims().stream().limit(3), Stream.of(new Dim(rank, false))).toList();
    return new Operand(all.name(), Type.FLOAT32, true, null, all.present(), all.strides(), dims);
  }
}
