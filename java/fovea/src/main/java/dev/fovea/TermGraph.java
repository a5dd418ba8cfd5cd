package dev.fovea;

import dev.fovea.ScoreTerm.Op;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Terms without repetitions: those that say the same are one, and what is constant is a number. */
final class TermGraph {
  private record Key(Op op, int constant, List<Integer> operands) {}

  private final Map<Key, ScoreTerm> unique = new HashMap<>();
  private final Map<ScoreTerm, ScoreTerm> seen = new IdentityHashMap<>();
  private final Map<ScoreTerm, Integer> number = new IdentityHashMap<>();
  private final List<ScoreTerm> order = new ArrayList<>();

  /** Those of this graph, each behind its operands. */
  List<ScoreTerm> terms() {
    return order;
  }

  /** Of a term of this graph, its place among them. */
  int number(ScoreTerm term) {
    return number.get(term);
  }

  /** The term of this graph that says what {@code term} does; new if none did. */
  ScoreTerm of(ScoreTerm term) {
    ScoreTerm known = seen.get(term);
    if (known != null) {
      return known;
    }
    ScoreTerm[] operands = term.operands().stream().map(this::of).toArray(ScoreTerm[]::new);
    ScoreTerm made = fold(term, operands);
    Key key =
        new Key(
            made.op(),
            Float.floatToRawIntBits(made.constant()),
            made.operands().stream().map(number::get).toList());
    ScoreTerm one = unique.putIfAbsent(key, made);
    if (one == null) {
      one = made;
      number.put(made, order.size());
      order.add(made);
    }
    seen.put(term, one);
    return one;
  }

  private static ScoreTerm fold(ScoreTerm term, ScoreTerm[] operands) {
    if (term.op() == Op.CONSTANT) {
      return term;
    }
    if (term.op() == Op.SELECT && operands[0].op() == Op.CONSTANT) {
      return operands[operands[0].is(0) ? 2 : 1];
    }
    boolean constant = operands.length > 0 && term.op() != Op.TABLE;
    float[] x = new float[operands.length];
    for (int i = 0; i < x.length; i++) {
      constant &= operands[i].op() == Op.CONSTANT;
      x[i] = operands[i].constant();
    }
    double value = constant ? compute(term.op(), x) : Double.NaN;
    return Float.isFinite((float) value)
        ? ScoreTerm.constant(value)
        : ScoreTerm.of(term.op(), operands);
  }

  private static double compute(Op op, float[] x) {
    return switch (op) {
      case ADD -> x[0] + x[1];
      case SUBTRACT -> x[0] - x[1];
      case MULTIPLY -> x[0] * x[1];
      case DIVIDE -> x[0] / x[1];
      case MINIMUM -> Math.min(x[0], x[1]);
      case MAXIMUM -> Math.max(x[0], x[1]);
      case ABSOLUTE -> Math.abs(x[0]);
      case FLOOR -> Math.floor(x[0]);
      case SQUARE_ROOT -> Math.sqrt(x[0]);
      case EXPONENTIAL -> Math.exp(x[0]);
      case LOGARITHM -> Math.log(x[0]);
      case TANH -> Math.tanh(x[0]);
      case SIGMOID -> 1 / (1 + Math.exp(-x[0]));
      case BELOW -> x[0] < x[1] ? 1 : 0;
      case AT_MOST -> x[0] <= x[1] ? 1 : 0;
      case EQUAL -> x[0] == x[1] ? 1 : 0;
      case SELECT, CONSTANT, BATCH, HEAD, QUERY, SCORE, KEY, TABLE ->
          throw new IllegalStateException(op + " is not constant");
    };
  }
}
