package dev.fovea;

import dev.fovea.ScoreTerm.Op;
import java.util.Objects;

/**
 * What becomes of each score of {@link Attention}, written in Java: an expression of the score, of
 * where it is, and of numbers that each head may have learnt. It is computed within the kernels,
 * tile by tile, and differentiated for the backward pass. Immutable and thread-safe.
 *
 * <pre>{@code
 * ScoreModifier alibi = ScoreModifier.of((score, at) ->
 *     score.plus(at.table(0).times(at.key().minus(at.query()))));
 * Attention attention = Attention.builder().causal().scoreModifier(alibi).build();
 * attention.call(query, key, value).modifierTable(slopes)...
 * }</pre>
 *
 * <p>The score is that of the scaled product, scale * &lt;q_i, k_j&gt;; softcap, biases and masks
 * of the call come after it. The body is called once: it says what to compute and sees no numbers.
 */
public final class ScoreModifier {
  /** Where a score is: numbers of its pair of query and key. */
  public static final class Place {
    private Place() {}

    /** The sequence of the batch, from 0. */
    public ScoreTerm batch() {
      return ScoreTerm.of(Op.BATCH);
    }

    /** The query head, from 0. */
    public ScoreTerm head() {
      return ScoreTerm.of(Op.HEAD);
    }

    /**
     * The position of the query among the keys, as {@link Attention.Alignment} says. Exact up to
     * 2^24, as is that of the key.
     */
    public ScoreTerm query() {
      return ScoreTerm.of(Op.QUERY);
    }

    /** The position of the key. */
    public ScoreTerm key() {
      return ScoreTerm.of(Op.KEY);
    }

    /**
     * A number of the query head, of {@link AttentionCall#modifierTable}.
     *
     * @throws IllegalArgumentException if {@code column} is negative
     */
    public ScoreTerm table(int column) {
      if (column < 0) {
        throw new IllegalArgumentException("column is " + column + ", expected 0 or more");
      }
      return table(ScoreTerm.constant(column));
    }

    /**
     * A number of the query head, of a column that is computed: rounded down, and the first or the
     * last column where there is none; NaN is the first.
     */
    public ScoreTerm table(ScoreTerm column) {
      return ScoreTerm.of(Op.TABLE, Objects.requireNonNull(column, "column"));
    }

    /** A number that is the same everywhere. */
    public ScoreTerm constant(double value) {
      return ScoreTerm.constant(value);
    }
  }

  /** The expression. */
  @FunctionalInterface
  public interface Body {
    /** The score that takes the place of {@code score}. */
    ScoreTerm apply(ScoreTerm score, Place at);
  }

  private final ScoreTerm value;
  private final ModifierProgram program;

  private ScoreModifier(ScoreTerm value) {
    this.value = value;
    program = ModifierProgram.of(value);
  }

  /**
   * The modifier that {@code body} says.
   *
   * @throws IllegalArgumentException if it is longer than a kernel takes: it, or what its gradients
   *     need, has too many numbers at once, or looks up more than {@value
   *     ModifierProgram#MOST_LOADS} different columns
   */
  public static ScoreModifier of(Body body) {
    ScoreTerm value = body.apply(ScoreTerm.of(Op.SCORE), new Place());
    return new ScoreModifier(Objects.requireNonNull(value, "the score that body gives"));
  }

  /** As the C ABI takes it: {@code modifier_program} of {@code fovea.h}. */
  public int[] words() {
    return program.words();
  }

  ModifierProgram program() {
    return program;
  }

  /** True for one that does the same. */
  @Override
  public boolean equals(Object other) {
    return other instanceof ScoreModifier that && program.equals(that.program);
  }

  @Override
  public int hashCode() {
    return program.hashCode();
  }

  /** The formula. */
  @Override
  public String toString() {
    return value.toString();
  }
}
