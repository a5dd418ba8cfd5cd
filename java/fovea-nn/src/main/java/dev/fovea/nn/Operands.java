package dev.fovea.nn;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What an operation takes beside its first operands, by the names of its declaration (ops/*.op):
 * {@code "key_lengths"}, {@code "bias"}, {@code "relative_table"}. Those that are differentiable
 * get gradients.
 */
public final class Operands {
  private final Map<String, Variable> named = new LinkedHashMap<>();
  private long longestQuery = -1;
  private long longestKey = -1;

  private Operands() {}

  /** Nothing yet. */
  public static Operands none() {
    return new Operands();
  }

  /** One operand. */
  public static Operands of(String name, Variable variable) {
    return none().with(name, variable);
  }

  /** One more operand; null for none. */
  public Operands with(String name, Variable variable) {
    Objects.requireNonNull(name, "name");
    if (variable != null) {
      named.put(name, variable);
    }
    return this;
  }

  /**
   * Packed sequences: rows of all of them lie end to end.
   *
   * @param query where each begins and the last one ends, int32 [B + 1]
   * @param key likewise
   * @param longestQuery at least the length of the longest
   * @param longestKey likewise
   */
  public Operands packed(Variable query, Variable key, long longestQuery, long longestKey) {
    this.longestQuery = longestQuery;
    this.longestKey = longestKey;
    return with("cu_seqlens_q", query).with("cu_seqlens_k", key);
  }

  /**
   * Packed queries, of keys that are not: where these are {@link #paged}.
   *
   * @param query where each sequence begins and the last one ends, int32 [B + 1]
   * @param longestQuery at least the length of the longest
   */
  public Operands packed(Variable query, long longestQuery) {
    this.longestQuery = longestQuery;
    return with("cu_seqlens_q", query);
  }

  /**
   * Keys and values in pages of a cache.
   *
   * @param table int32 [B, E], as {@link dev.fovea.AttentionCall#pages}
   * @param longestKey at least the length of the longest sequence of keys
   */
  public Operands paged(Variable table, long longestKey) {
    this.longestKey = longestKey;
    return with("block_table", table);
  }

  /** A copy that has no operand of that name. */
  Operands without(String name) {
    Operands copy = none();
    copy.named.putAll(named);
    copy.named.remove(name);
    copy.longestQuery = longestQuery;
    copy.longestKey = longestKey;
    return copy;
  }

  boolean isPacked() {
    return longestQuery >= 0;
  }

  long longestQuery() {
    return longestQuery;
  }

  long longestKey() {
    return longestKey;
  }

  /** Null where it is absent. */
  Variable get(String name) {
    return named.get(name);
  }

  List<String> names() {
    return List.copyOf(named.keySet());
  }

  List<Variable> variables() {
    return new ArrayList<>(named.values());
  }
}
