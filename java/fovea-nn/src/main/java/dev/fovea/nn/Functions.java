package dev.fovea.nn;

import dev.fovea.Activation;
import dev.fovea.ActivationCall;
import dev.fovea.AdditiveAttention;
import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.CrossEntropy;
import dev.fovea.CrossEntropyCall;
import dev.fovea.DType;
import dev.fovea.EmbeddingLookup;
import dev.fovea.EmbeddingLookupCall;
import dev.fovea.Normalization;
import dev.fovea.NormalizationBackward;
import dev.fovea.NormalizationCall;
import dev.fovea.RotaryCall;
import dev.fovea.RotaryEmbedding;
import dev.fovea.nn.OperationNode.Recipe;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * Operations on variables: what layers are made of. Each is one of Fovea's fused operations, with
 * its gradient; how precise they are is said there.
 */
public final class Functions {
  private Functions() {}

  /** What a node of an operation is told apart by. */
  private record What(Object spec, List<String> names, long longestQuery, long longestKey) {}

  /**
   * {@code y = x W^T + b} over the last dimension of x (as PyTorch's linear).
   *
   * @param x [..., in], in rows that are contiguous and evenly far apart
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

  // ---- attention

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
    return attention(attention, query, key, value, more, false).getFirst();
  }

  /**
   * The same, with the attention weights, before dropout: to be looked at. They are not
   * differentiable, and take memory and time of all pairs.
   *
   * @return out, and weights float32 [B, Hq, Sq, Sk], or packed [Hq, Tq, longest key]
   */
  public static List<Variable> attentionAndWeights(
      Attention attention, Variable query, Variable key, Variable value, Operands more) {
    return attention(attention, query, key, value, more, true);
  }

  private static List<Variable> attention(
      Attention attention,
      Variable query,
      Variable key,
      Variable value,
      Operands more,
      boolean hasWeights) {
    List<String> names = names(List.of("query", "key", "value"), more);
    boolean hasDropout = !attention.eval().equals(attention);
    SoftmaxRecipe what = new SoftmaxRecipe(attention, hasDropout, hasWeights);
    return operation(
        what,
        names,
        List.of(query, key, value),
        more,
        () -> what.of(call(attention, query, key, value, more), names, query, key, more));
  }

  private static AttentionCall call(
      Attention attention, Variable query, Variable key, Variable value, Operands more) {
    AttentionCall call = attention.call(query.value(), key.value(), value.value());
    Variable table = more.get("block_table");
    if (table != null) {
      call.pages(table.value(), more.longestKey());
    }
    if (more.isPacked() && more.get("cu_seqlens_k") == null) {
      call.cuSeqlens(more.get("cu_seqlens_q").value(), more.longestQuery());
    }
    return call;
  }

  /**
   * Appends keys and values to those that a cache has, in place. Not differentiable.
   *
   * @param key [B, S, Hk, D], or packed [T, Hk, D]
   * @param value [B, S, Hk, Dv], or packed [T, Hk, Dv]
   * @param rows where they belong
   * @param layer of the cache
   */
  static void append(Variable key, Variable value, CachedRows rows, int layer) {
    record Append(CachedRows rows, int layer) {}
    Append what = new Append(rows, layer);
    List<Variable> inputs = List.of(key, value);
    key.tape().record(what, inputs, () -> new AppendNode(what, inputs, rows, layer));
  }

  /**
   * Additive attention.
   *
   * @param query [B, Sq, Hq, A], or packed [Tq, Hq, A]
   * @param key likewise, of the keys
   * @param value [B, Sk, Hk, Dv], or packed [Tk, Hk, Dv]
   * @param weight float32 [Hq, A]
   * @param more other operands, such as {@code "bias"}; nothing of them is changed here
   * @return [B, Sq, Hq, Dv], or packed [Tq, Hq, Dv]
   */
  public static Variable additive(
      AdditiveAttention attention,
      Variable query,
      Variable key,
      Variable value,
      Variable weight,
      Operands more) {
    List<String> names = names(List.of("query", "key", "value", "weight"), more);
    boolean hasDropout = !attention.eval().equals(attention);
    SoftmaxRecipe what = new SoftmaxRecipe(attention, hasDropout, false);
    return operation(
            what,
            names,
            List.of(query, key, value, weight),
            more,
            () ->
                what.of(
                    attention.call(query.value(), key.value(), value.value(), weight.value()),
                    names,
                    query,
                    key,
                    more))
        .getFirst();
  }

  /**
   * Rotary position embedding.
   *
   * @param x [B, S, H, D]
   * @param cosines float32 [1, P, C]
   * @param sines likewise
   * @param positions int32 [B or 1, S]; null for s at row s
   */
  public static Variable rotary(
      RotaryEmbedding embedding, Variable x, Variable cosines, Variable sines, Variable positions) {
    Operands more = Operands.none().with("positions", positions);
    List<String> names = names(List.of("x", "cosines", "sines"), more);
    return operation(
            embedding,
            names,
            List.of(x, cosines, sines),
            more,
            () -> {
              RotaryCall call = embedding.call(x.value(), cosines.value(), sines.value());
              return new Recipe(call, names, x.dtype(), call::gradients);
            })
        .getFirst();
  }

  // ---- activations

  /** {@code max(0, x)}. */
  public static Variable relu(Variable x) {
    return activation(Activation.relu(), x, Operands.none());
  }

  /** {@code x Phi(x)}. */
  public static Variable gelu(Variable x) {
    return activation(Activation.gelu(), x, Operands.none());
  }

  /** {@code x sigmoid(x)}. */
  public static Variable silu(Variable x) {
    return activation(Activation.silu(), x, Operands.none());
  }

  /** {@code 1 / (1 + exp(-x))}. */
  public static Variable sigmoid(Variable x) {
    return activation(Activation.sigmoid(), x, Operands.none());
  }

  /** The hyperbolic tangent. */
  public static Variable tanh(Variable x) {
    return activation(Activation.tanh(), x, Operands.none());
  }

  /** Each element zero with that probability, the others scaled up. */
  public static Variable dropout(Variable x, double probability) {
    return probability == 0
        ? x
        : activation(Activation.identity().dropout(probability), x, Operands.none());
  }

  /** {@code x + y}, of one shape. */
  public static Variable add(Variable x, Variable y) {
    return activation(Activation.identity(), x, Operands.of("residual", y));
  }

  /**
   * Rows of {@code x}, and behind them those of {@code y}: copies.
   *
   * @param dim along which; all others are alike
   */
  public static Variable concat(int dim, Variable x, Variable y) {
    record Concat(int dim) {}
    Concat what = new Concat(dim);
    List<Variable> inputs = List.of(x, y);
    return x.tape().record(what, inputs, () -> new ConcatNode(what, dim, inputs)).getFirst();
  }

  /** A dense copy; x, if it is dense. */
  public static Variable contiguous(Variable x) {
    if (x.value().isContiguous()) {
      return x;
    }
    int rank = x.shape().length;
    if (rank == 3 && x.value().stride(2) == 1) {
      return activation(Activation.identity(), x, Operands.none());
    }
    List<Variable> inputs = List.of(x); // behind which there is nothing
    return x.tape().record("copy", inputs, () -> new ConcatNode("copy", 0, inputs)).getFirst();
  }

  /**
   * An activation function with what stands around it.
   *
   * @param x [..., D]; of rank 3, or contiguous
   * @param more {@code "bias"} [D], {@code "gate"} and {@code "residual"} of the shape of x
   */
  public static Variable activation(Activation activation, Variable x, Operands more) {
    if (x.shape().length != 3) {
      Operands rows = Operands.none();
      for (String name : more.names()) {
        Variable it = more.get(name);
        rows.with(name, name.equals("bias") ? it : rows(it, x));
      }
      return activation(activation, rows(x, x), rows).reshape(x.shape());
    }
    List<String> names = names(List.of("x"), more);
    return operation(
            activation,
            names,
            List.of(x),
            more,
            () -> {
              ActivationCall call = activation.call(x.value());
              return new Recipe(call, names, x.dtype(), call::gradients)
                  .seeded(activation.eval().equals(activation) ? null : call::dropoutSeed)
                  .addingAll()
                  .passing("residual");
            })
        .getFirst();
  }

  /** [1, rows, D]. */
  private static Variable rows(Variable it, Variable like) {
    if (!Arrays.equals(it.shape(), like.shape())) {
      throw new IllegalArgumentException("%s is not of the shape of x, %s".formatted(it, like));
    }
    return it.reshape(1, -1, like.size(-1));
  }

  // ---- normalisation

  /**
   * Layer or root mean square normalisation over the last dimension.
   *
   * @param x [..., D]; of rank 4, which is [B, S, H, D], or contiguous
   * @param weight [D], or for rank 4 [H, D]; null for ones
   * @param bias likewise; null for zeros
   */
  public static Variable normalize(
      Normalization normalization, Variable x, Parameter weight, Parameter bias) {
    if (x.shape().length != 4) {
      Variable rows = x.reshape(1, -1, 1, x.size(-1));
      return normalize(normalization, rows, weight, bias).reshape(x.shape());
    }
    Tape tape = x.tape();
    Operands more =
        Operands.none().with("weight", gain(tape, weight)).with("bias", gain(tape, bias));
    List<String> names = names(List.of("x"), more);
    return operation(
            normalization,
            names,
            List.of(x),
            more,
            () -> {
              NormalizationCall call = normalization.call(x.value());
              return new Recipe(call, names, x.dtype(), call::gradients)
                  .addingAll()
                  .addingFirst(backward -> ((NormalizationBackward) backward).accumulateDx(true));
            })
        .getFirst();
  }

  /** [H, D]. */
  private static Variable gain(Tape tape, Parameter parameter) {
    if (parameter == null) {
      return null;
    }
    Variable gain = tape.exactParameter(parameter);
    return parameter.shape().length == 2 ? gain : gain.reshape(1, -1);
  }

  // ---- embeddings and losses

  /**
   * Rows of a table.
   *
   * @param table [V, D]
   * @param ids int32 [B, S]
   * @param more {@code "positions"} [P, D] and {@code "position_ids"} int32 [B or 1, S]
   * @return [B, S, D]
   */
  public static Variable embedding(
      EmbeddingLookup lookup, Parameter table, Variable ids, Operands more) {
    return embedding(lookup, ids.tape().parameter(table), ids, more);
  }

  private static Variable embedding(
      EmbeddingLookup lookup, Variable table, Variable ids, Operands more) {
    List<String> names = names(List.of("table", "ids"), more);
    return operation(
            lookup,
            names,
            List.of(table, ids),
            more,
            () -> {
              EmbeddingLookupCall call = lookup.call(table.value(), ids.value());
              return new Recipe(call, names, table.dtype(), call::gradients).addingAll();
            })
        .getFirst();
  }

  /**
   * Some rows of a matrix, as {@code index_select} of PyTorch: copies. Not differentiable.
   *
   * @param matrix [N, D]
   * @param ids int32 [n], each from 0 to N - 1
   * @return [n, D]
   */
  public static Variable select(Variable matrix, Variable ids) {
    return embedding(EmbeddingLookup.create(), matrix, ids.reshape(1, -1), Operands.none())
        .reshape(-1, matrix.size(-1));
  }

  /**
   * The cross-entropy of every row, not reduced.
   *
   * @param logits [B, S, V]
   * @param targets int32 [B, S]; negative: ignored
   * @return float32 [B, S]
   */
  public static Variable crossEntropy(CrossEntropy loss, Variable logits, Variable targets) {
    List<String> names = List.of("logits", "targets");
    return operation(
            loss,
            names,
            List.of(logits, targets),
            Operands.none(),
            () -> {
              CrossEntropyCall call = loss.call(logits.value(), targets.value());
              return new Recipe(call, names, DType.FLOAT32, call::gradients)
                  .saving("lse", Arrays.copyOf(logits.shape(), 2));
            })
        .getFirst();
  }

  // ---- all alike

  private static List<String> names(List<String> first, Operands more) {
    List<String> names = new ArrayList<>(first);
    names.addAll(more.names());
    return names;
  }

  private static List<Variable> operation(
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
        what, inputs, () -> new OperationNode(tape, tape.recorded(), what, inputs, recipe.get()));
  }
}
