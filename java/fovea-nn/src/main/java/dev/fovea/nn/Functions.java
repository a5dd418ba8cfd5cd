package dev.fovea.nn;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.nn.OperationNode.Recipe;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Operations on variables: what layers are made of. */
public final class Functions {
  private Functions() {}

  /** What a node of an operation is told apart by. */
  private record What(Object spec, List<String> names, long longestQuery, long longestKey) {}

  /**
   * {@code y = x W^T + b} over the last dimension of x (as PyTorch's linear).
   *
   * @param x [..., in]
   * @param weight [out, in]
   * @param bias [out]; null for none
   * @return [..., out]
   */
  public static Variable linear(Variable x, Parameter weight, Parameter bias) {
    LinearNode.check(x, weight, bias);
    Tape tape = x.tape();
    List<Variable> inputs = new ArrayList<>(3);
    inputs.add(x);
    inputs.add(tape.parameter(weight));
    inputs.add(bias == null ? null : tape.parameter(bias));
    return tape.record("linear", inputs, () -> new LinearNode("linear", inputs)).getFirst();
  }

  /** Scaled dot-product attention with nothing but query, key and value. */
  public static Variable attention(
      Attention attention, Variable query, Variable key, Variable value) {
    return attention(attention, query, key, value, Operands.none());
  }

  /**
   * Scaled dot-product attention.
   *
   * @param attention what to compute
   * @param query [B, Sq, Hq, D], or packed [Tq, Hq, D]
   * @param key [B, Sk, Hk, D]
   * @param value [B, Sk, Hk, Dv]
   * @param more what else it takes, by the names of ops/attention.op
   * @return [B, Sq, Hq, Dv]
   */
  public static Variable attention(
      Attention attention, Variable query, Variable key, Variable value, Operands more) {
    List<String> names = names(List.of("query", "key", "value"), more);
    return operation(
        attention,
        names,
        List.of(query, key, value),
        more,
        () -> {
          AttentionCall call = attention.call(query.value(), key.value(), value.value());
          pack(call, more);
          long[] q = query.shape();
          int rank = q.length;
          long[] lse =
              more.isPacked()
                  ? new long[] {q[rank - 2], q[rank - 3]}
                  : new long[] {q[0], q[2], q[1]};
          return new Recipe(
              call,
              names,
              query.dtype(),
              Map.of("lse", lse),
              call::gradients,
              attention.eval() == attention ? null : call::dropoutSeed);
        });
  }

  private static void pack(AttentionCall call, Operands more) {
    if (more.isPacked()) {
      call.cuSeqlens(
          more.get("cu_seqlens_q").value(),
          more.get("cu_seqlens_k").value(),
          more.longestQuery(),
          more.longestKey());
    }
  }

  private static List<String> names(List<String> first, Operands more) {
    List<String> names = new ArrayList<>(first);
    names.addAll(more.names());
    return names;
  }

  private static Variable operation(
      Object spec,
      List<String> names,
      List<Variable> first,
      Operands more,
      Supplier<Recipe> recipe) {
    Tape tape = first.getFirst().tape();
    List<Variable> inputs = new ArrayList<>(first);
    inputs.addAll(more.variables());
    What what = new What(spec, names, more.longestQuery(), more.longestKey());
    return tape.record(
            what,
            inputs,
            () -> new OperationNode(tape, tape.recorded(), what, inputs, recipe.get()))
        .getFirst();
  }
}
