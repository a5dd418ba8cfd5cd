package dev.fovea.testkit.attention;

import dev.fovea.ScoreModifier;
import dev.fovea.ScoreTerm;

/** Arithmetic of a {@link Modifier} as the product writes it. */
final class ModifierTerms implements ModifierArithmetic<ScoreTerm> {

  private final ScoreModifier.Place at;

  ModifierTerms(ScoreModifier.Place at) {
    this.at = at;
  }

  @Override
  public ScoreTerm number(double x) {
    return at.constant(x);
  }

  @Override
  public ScoreTerm batch() {
    return at.batch();
  }

  @Override
  public ScoreTerm head() {
    return at.head();
  }

  @Override
  public ScoreTerm query() {
    return at.query();
  }

  @Override
  public ScoreTerm key() {
    return at.key();
  }

  @Override
  public ScoreTerm table(ScoreTerm column) {
    return at.table(column);
  }

  @Override
  public ScoreTerm plus(ScoreTerm a, ScoreTerm b) {
    return a.plus(b);
  }

  @Override
  public ScoreTerm minus(ScoreTerm a, ScoreTerm b) {
    return a.minus(b);
  }

  @Override
  public ScoreTerm times(ScoreTerm a, ScoreTerm b) {
    return a.times(b);
  }

  @Override
  public ScoreTerm dividedBy(ScoreTerm a, ScoreTerm b) {
    return a.dividedBy(b);
  }

  @Override
  public ScoreTerm min(ScoreTerm a, ScoreTerm b) {
    return a.min(b);
  }

  @Override
  public ScoreTerm max(ScoreTerm a, ScoreTerm b) {
    return a.max(b);
  }

  @Override
  public ScoreTerm abs(ScoreTerm a) {
    return a.abs();
  }

  @Override
  public ScoreTerm sqrt(ScoreTerm a) {
    return a.sqrt();
  }

  @Override
  public ScoreTerm log(ScoreTerm a) {
    return a.log();
  }

  @Override
  public ScoreTerm exp(ScoreTerm a) {
    return a.exp();
  }

  @Override
  public ScoreTerm tanh(ScoreTerm a) {
    return a.tanh();
  }

  @Override
  public ScoreTerm sigmoid(ScoreTerm a) {
    return a.sigmoid();
  }

  @Override
  public ScoreTerm whereBelow(ScoreTerm a, ScoreTerm b, ScoreTerm then, ScoreTerm otherwise) {
    return a.isBelow(b).choose(then, otherwise);
  }
}
