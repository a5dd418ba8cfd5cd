package dev.fovea.testkit.attention;

import dev.fovea.testkit.attention.ModifierTrace.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Arithmetic of a {@link Modifier} in double precision: numbers with their derivatives (forward
 * accumulation, where the product has reverse), and bounds of what float32 makes of both.
 *
 * <p>Errors are in units of float32 arithmetic, of which each operation adds one for the size of
 * its result: a rounding is a sixth of that, and functions err by less than the rest. Errors of
 * operands count as far as the operation is steep. A derivative f'(a) a' errs by that of f', which
 * is f'' times the error of a and what rounding f' itself costs.
 */
final class ModifierTrace implements ModifierArithmetic<Value> {

  /** A number with the bound of its error. */
  record Bounded(double value, double error) {

    static final Bounded ZERO = new Bounded(0, 0);

    static Bounded exact(double x) {
      return new Bounded(x, 0);
    }

    /** With the error of rounding the result. */
    private static Bounded rounded(double value, double error) {
      return new Bounded(value, value == 0 && error == 0 ? 0 : error + Math.abs(value));
    }

    Bounded plus(Bounded b) {
      return value == 0 && error == 0 ? b : rounded(value + b.value, error + b.error);
    }

    Bounded times(Bounded b) {
      return rounded(value * b.value, Math.abs(value) * b.error + Math.abs(b.value) * error);
    }
  }

  /**
   * A number of a pair of query and key.
   *
   * @param by the derivative by the score, then those by what was looked up
   */
  record Value(Bounded of, Bounded... by) {

    /** The {@code n}th derivative; 0 where there is none. */
    Bounded by(int n) {
      return n < by.length ? by[n] : Bounded.ZERO;
    }
  }

  private final AttentionCase c;
  private final float[] table;
  private final double unit;
  private final List<Integer> columns = new ArrayList<>();
  private int batch;
  private int head;
  private long query;
  private long key;

  /**
   * Of no pair yet.
   *
   * @param unit of float32 arithmetic, relative to what it is of
   */
  ModifierTrace(AttentionCase c, float[] table, double unit) {
    this.c = c;
    this.table = table;
    this.unit = unit;
  }

  /** What the modifier of the case makes of the score of a pair. */
  Value apply(int batch, int head, long query, long key, double score, double error) {
    this.batch = batch;
    this.head = head;
    this.query = query;
    this.key = key;
    columns.clear();
    return c.options()
        .modifier()
        .apply(this, new Value(new Bounded(score, error), Bounded.exact(1)));
  }

  /** Where the numbers are, in a buffer of such a table, that it looked up, in their order. */
  List<Integer> columns() {
    return columns;
  }

  @Override
  public Value number(double x) {
    return new Value(Bounded.exact((float) x));
  }

  @Override
  public Value batch() {
    return number(batch);
  }

  @Override
  public Value head() {
    return number(head);
  }

  @Override
  public Value query() {
    return number(query);
  }

  @Override
  public Value key() {
    return number(key);
  }

  @Override
  public Value table(Value column) {
    long last = c.layouts().modifierTable().size()[2] - 1;
    int at = (int) Math.clamp((long) Math.floor(column.of.value), 0, last);
    columns.add(at);
    Bounded[] by = new Bounded[columns.size() + 1];
    Arrays.fill(by, Bounded.ZERO);
    by[columns.size()] = Bounded.exact(1);
    float x = table[c.layouts().modifierTable().atBroadcast(0, head, at)];
    return new Value(Bounded.exact(x), by);
  }

  private static Value combine(
      Bounded of, Value a, Bounded toA, Value b, Bounded toB, double unsure) {
    Bounded[] by = new Bounded[Math.max(a.by.length, b.by.length)];
    for (int n = 0; n < by.length; n++) {
      Bounded sum = a.by(n).times(toA).plus(b.by(n).times(toB));
      double apart = unsure * Math.abs(a.by(n).value - b.by(n).value);
      by[n] = new Bounded(sum.value, sum.error + apart);
    }
    return new Value(of, by);
  }

  @Override
  public Value plus(Value a, Value b) {
    Bounded one = Bounded.exact(1);
    return combine(
        Bounded.rounded(a.of.value + b.of.value, a.of.error + b.of.error), a, one, b, one, 0);
  }

  @Override
  public Value minus(Value a, Value b) {
    return combine(
        Bounded.rounded(a.of.value - b.of.value, a.of.error + b.of.error),
        a,
        Bounded.exact(1),
        b,
        Bounded.exact(-1),
        0);
  }

  @Override
  public Value times(Value a, Value b) {
    return combine(a.of.times(b.of), a, b.of, b, a.of, 0);
  }

  @Override
  public Value dividedBy(Value a, Value b) {
    double size = Math.abs(b.of.value);
    double inverse = 1 / b.of.value;
    double result = a.of.value * inverse;
    Bounded toA = Bounded.rounded(inverse, b.of.error / (size * size));
    Bounded toB =
        Bounded.rounded(
            -result * inverse,
            (a.of.error + 2 * Math.abs(result) * b.of.error) / (size * size)
                + Math.abs(result) / size);
    double error = (a.of.error + Math.abs(result) * b.of.error) / size;
    return combine(Bounded.rounded(result, error), a, toA, b, toB, 0);
  }

  /** The one of two that is taken; where errors decide which, it may be any. */
  private Value choose(boolean first, Value a, Value b) {
    double room = unit * (a.of.error + b.of.error);
    boolean sure = Math.abs(a.of.value - b.of.value) > room;
    Bounded taken = first ? a.of : b.of;
    double error = sure ? taken.error : a.of.error + b.of.error;
    return combine(
        new Bounded(taken.value, error),
        a,
        Bounded.exact(first ? 1 : 0),
        b,
        Bounded.exact(first ? 0 : 1),
        sure ? 0 : 1 / unit);
  }

  @Override
  public Value min(Value a, Value b) {
    return choose(!(b.of.value < a.of.value), a, b);
  }

  @Override
  public Value max(Value a, Value b) {
    return choose(!(a.of.value < b.of.value), a, b);
  }

  @Override
  public Value whereBelow(Value a, Value b, Value then, Value otherwise) {
    Value taken = a.of.value < b.of.value ? then : otherwise;
    return new Value(taken.of, taken.by);
  }

  /**
   * A function of one number.
   *
   * @param value of it
   * @param slope its derivative
   * @param bend the derivative of that
   * @param own error of the function itself, in units of its own
   * @param ownSlope likewise of how its derivative is computed
   */
  private static Value function(
      Value a, double value, double slope, double bend, double own, double ownSlope) {
    // What is exact moves nothing, however steep the function is.
    boolean exact = a.of.error == 0;
    Bounded of = new Bounded(value, (exact ? 0 : Math.abs(slope) * a.of.error) + own);
    Bounded to = new Bounded(slope, (exact ? 0 : Math.abs(bend) * a.of.error) + ownSlope);
    return combine(of, a, to, new Value(Bounded.ZERO), Bounded.ZERO, 0);
  }

  @Override
  public Value abs(Value a) {
    double x = a.of.value;
    boolean sure = Math.abs(x) > unit * a.of.error;
    return function(a, Math.abs(x), Math.signum(x), 0, 0, sure ? 0 : 2 / unit);
  }

  @Override
  public Value sqrt(Value a) {
    double y = Math.sqrt(a.of.value);
    double slope = 0.5 / y;
    return function(a, y, slope, slope / (2 * a.of.value), y, 2 * slope);
  }

  @Override
  public Value log(Value a) {
    double y = Math.log(a.of.value);
    double slope = 1 / a.of.value;
    return function(a, y, slope, slope * slope, 1 + Math.abs(y), slope);
  }

  @Override
  public Value exp(Value a) {
    double y = Math.exp(a.of.value);
    double own = y * (1 + Math.abs(a.of.value));
    return function(a, y, y, y, own, own);
  }

  @Override
  public Value tanh(Value a) {
    double y = Math.tanh(a.of.value);
    double slope = 1 - y * y;
    return function(a, y, slope, 2 * y * slope, Math.abs(y), 1);
  }

  @Override
  public Value sigmoid(Value a) {
    double y = 1 / (1 + Math.exp(-a.of.value));
    double slope = y * (1 - y);
    return function(a, y, slope, slope * (1 - 2 * y), y, y);
  }
}
