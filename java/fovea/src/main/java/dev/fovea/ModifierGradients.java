package dev.fovea;

import dev.fovea.ScoreTerm.Op;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Derivatives of a term by the score and by the numbers it looks up, as terms: reverse accumulation
 * (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3) over its terms, each once.
 */
final class ModifierGradients {
  private final Map<ScoreTerm, ScoreTerm> adjoints = new IdentityHashMap<>();
  private final List<ScoreTerm> loads = new ArrayList<>();
  private ScoreTerm slope = ScoreTerm.ZERO;

  /**
   * Of terms in an order in which each follows its operands; the last is what is differentiated.
   */
  ModifierGradients(List<ScoreTerm> terms) {
    Map<ScoreTerm, Boolean> active = new IdentityHashMap<>();
    for (ScoreTerm term : terms) {
      boolean varies =
          switch (term.op()) {
            case SCORE, TABLE -> true;
            case FLOOR, BELOW, AT_MOST, EQUAL -> false;
            default -> term.operands().stream().anyMatch(active::get);
          };
      active.put(term, varies);
    }
    adjoints.put(terms.getLast(), ScoreTerm.ONE);
    for (ScoreTerm term : terms.reversed()) {
      ScoreTerm adjoint = adjoints.get(term);
      if (adjoint != null && active.get(term)) {
        propagate(term, adjoint);
      }
    }
    adjoints.keySet().retainAll(terms);
  }

  /** The derivative by the score. */
  ScoreTerm slope() {
    return slope;
  }

  /** The numbers that it looks up and has a derivative by. */
  List<ScoreTerm> loads() {
    return loads;
  }

  /** That derivative. */
  ScoreTerm by(ScoreTerm load) {
    return adjoints.get(load);
  }

  private void propagate(ScoreTerm y, ScoreTerm g) {
    List<ScoreTerm> of = y.operands();
    ScoreTerm a = of.isEmpty() ? null : of.getFirst();
    ScoreTerm b = of.size() < 2 ? null : of.get(1);
    switch (y.op()) {
      case SCORE -> slope = g;
      case TABLE -> loads.add(y);
      case ADD -> {
        add(a, g);
        add(b, g);
      }
      case SUBTRACT -> {
        add(a, g);
        add(b, g.negated());
      }
      case MULTIPLY -> {
        add(a, g.times(b));
        add(b, g.times(a));
      }
      case DIVIDE -> {
        add(a, g.dividedBy(b));
        add(b, g.times(y).dividedBy(b).negated());
      }
      case MINIMUM -> choose(a.isAtMost(b), a, b, g);
      case MAXIMUM -> choose(b.isAtMost(a), a, b, g);
      case SELECT -> choose(new ScoreCondition(a), b, of.get(2), g);
      case ABSOLUTE -> {
        ScoreTerm falling = a.isBelow(0).choose(g.negated(), ScoreTerm.ZERO);
        add(a, ScoreTerm.ZERO.isBelow(a).choose(g, falling));
      }
      case SQUARE_ROOT -> add(a, g.times(0.5).dividedBy(y));
      case EXPONENTIAL -> add(a, g.times(y));
      case LOGARITHM -> add(a, g.dividedBy(a));
      case TANH -> add(a, g.times(ScoreTerm.ONE.minus(y.times(y))));
      case SIGMOID -> add(a, g.times(y.times(ScoreTerm.ONE.minus(y))));
      case CONSTANT, BATCH, HEAD, QUERY, KEY, FLOOR, BELOW, AT_MOST, EQUAL ->
          throw new IllegalStateException(y.op() + " has no derivative");
    }
  }

  private void choose(ScoreCondition first, ScoreTerm a, ScoreTerm b, ScoreTerm g) {
    add(a, first.choose(g, ScoreTerm.ZERO));
    add(b, first.choose(ScoreTerm.ZERO, g));
  }

  private void add(ScoreTerm to, ScoreTerm g) {
    if (to.op() != Op.CONSTANT && !g.is(0)) {
      adjoints.merge(to, g, ScoreTerm::plus);
    }
  }
}
