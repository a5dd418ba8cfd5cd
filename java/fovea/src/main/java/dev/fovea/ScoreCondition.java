package dev.fovea;

import dev.fovea.ScoreTerm.Op;

/**
 * A condition in a {@link ScoreModifier}: for each pair of query and key true or false. Immutable.
 */
public final class ScoreCondition {
  private final ScoreTerm term; // 1 or 0

  ScoreCondition(ScoreTerm term) {
    this.term = term;
  }

  /** Whether both hold. */
  public ScoreCondition and(ScoreCondition other) {
    return new ScoreCondition(ScoreTerm.of(Op.MULTIPLY, term, other.term));
  }

  /** Whether any holds. */
  public ScoreCondition or(ScoreCondition other) {
    return new ScoreCondition(ScoreTerm.of(Op.MAXIMUM, term, other.term));
  }

  /** Whether it does not hold. */
  public ScoreCondition not() {
    return new ScoreCondition(ScoreTerm.of(Op.SUBTRACT, ScoreTerm.ONE, term));
  }

  /**
   * {@code then} where it holds, else {@code otherwise}. Both are computed for every pair; where a
   * gradient of the one that is not taken is infinite or NaN, so is that of the score.
   */
  public ScoreTerm choose(ScoreTerm then, ScoreTerm otherwise) {
    return ScoreTerm.of(Op.SELECT, term, then, otherwise);
  }

  /** The formula. */
  @Override
  public String toString() {
    return term.toString();
  }
}
