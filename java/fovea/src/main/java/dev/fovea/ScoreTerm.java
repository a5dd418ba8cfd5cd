package dev.fovea;

import java.util.List;
import java.util.Objects;

/**
 * A number of a {@link ScoreModifier}: of each pair of query and key its own, in float32.
 * Immutable: methods make new terms, and compute nothing yet.
 */
public final class ScoreTerm {
  /** What a term is, in the order of {@code fovea::attention::ModifierOp}. */
  enum Op {
    CONSTANT("%s"),
    BATCH("batch"),
    HEAD("head"),
    QUERY("query"),
    SCORE("score"),
    KEY("key"),
    TABLE("table[%s]"),
    ADD("(%s + %s)"),
    SUBTRACT("(%s - %s)"),
    MULTIPLY("%s * %s"),
    DIVIDE("%s / %s"),
    MINIMUM("min(%s, %s)"),
    MAXIMUM("max(%s, %s)"),
    ABSOLUTE("abs(%s)"),
    FLOOR("floor(%s)"),
    SQUARE_ROOT("sqrt(%s)"),
    EXPONENTIAL("exp(%s)"),
    LOGARITHM("log(%s)"),
    TANH("tanh(%s)"),
    SIGMOID("sigmoid(%s)"),
    BELOW("(%s < %s)"),
    AT_MOST("(%s <= %s)"),
    EQUAL("(%s = %s)"),
    SELECT("(%s ? %s : %s)");

    private final String format;

    Op(String format) {
      this.format = format;
    }
  }

  /** Of operands of operands in a text; a term that is an operand twice is there twice. */
  private static final int MOST_DEPTH = 8;

  static final ScoreTerm ZERO = constant(0);
  static final ScoreTerm ONE = constant(1);

  private final Op op;
  private final float constant;
  private final List<ScoreTerm> operands;

  private ScoreTerm(Op op, float constant, ScoreTerm... operands) {
    this.op = op;
    this.constant = constant;
    this.operands = List.of(operands);
  }

  static ScoreTerm constant(double value) {
    if (!Float.isFinite((float) value)) {
      throw new IllegalArgumentException(value + " is no finite float32");
    }
    return new ScoreTerm(Op.CONSTANT, (float) value);
  }

  static ScoreTerm of(Op op, ScoreTerm... operands) {
    return new ScoreTerm(op, 0, operands);
  }

  Op op() {
    return op;
  }

  float constant() {
    return constant;
  }

  List<ScoreTerm> operands() {
    return operands;
  }

  boolean is(double value) {
    return op == Op.CONSTANT && constant == value;
  }

  /** This plus {@code other}. */
  public ScoreTerm plus(ScoreTerm other) {
    if (is(0)) {
      return other;
    }
    return other.is(0) ? this : binary(Op.ADD, other);
  }

  /** This plus a number. */
  public ScoreTerm plus(double other) {
    return plus(constant(other));
  }

  /** This minus {@code other}. */
  public ScoreTerm minus(ScoreTerm other) {
    return other.is(0) ? this : binary(Op.SUBTRACT, other);
  }

  /** This minus a number. */
  public ScoreTerm minus(double other) {
    return minus(constant(other));
  }

  /** This times {@code other}. */
  public ScoreTerm times(ScoreTerm other) {
    if (is(1)) {
      return other;
    }
    return other.is(1) ? this : binary(Op.MULTIPLY, other);
  }

  /** This times a number. */
  public ScoreTerm times(double other) {
    return times(constant(other));
  }

  /** This divided by {@code other}. */
  public ScoreTerm dividedBy(ScoreTerm other) {
    return other.is(1) ? this : binary(Op.DIVIDE, other);
  }

  /** This divided by a number. */
  public ScoreTerm dividedBy(double other) {
    return dividedBy(constant(other));
  }

  /** 0 minus this. */
  public ScoreTerm negated() {
    return times(-1);
  }

  /** The smaller of both; its gradient is that of this where they are equal. */
  public ScoreTerm min(ScoreTerm other) {
    return binary(Op.MINIMUM, other);
  }

  /** The smaller of this and a number. */
  public ScoreTerm min(double other) {
    return min(constant(other));
  }

  /** The larger of both; its gradient is that of this where they are equal. */
  public ScoreTerm max(ScoreTerm other) {
    return binary(Op.MAXIMUM, other);
  }

  /** The larger of this and a number. */
  public ScoreTerm max(double other) {
    return max(constant(other));
  }

  /** Its magnitude; the gradient at 0 is 0. */
  public ScoreTerm abs() {
    return of(Op.ABSOLUTE, this);
  }

  /** The largest whole number that is not above it; no gradient goes through. */
  public ScoreTerm floor() {
    return of(Op.FLOOR, this);
  }

  /** Its square root; NaN below 0. */
  public ScoreTerm sqrt() {
    return of(Op.SQUARE_ROOT, this);
  }

  /** e to its power. */
  public ScoreTerm exp() {
    return of(Op.EXPONENTIAL, this);
  }

  /** Its natural logarithm: -infinity at 0, NaN below. */
  public ScoreTerm log() {
    return of(Op.LOGARITHM, this);
  }

  /** Its hyperbolic tangent. */
  public ScoreTerm tanh() {
    return of(Op.TANH, this);
  }

  /** 1 / (1 + exp(-x)). */
  public ScoreTerm sigmoid() {
    return of(Op.SIGMOID, this);
  }

  /** Whether it is less than {@code other}. */
  public ScoreCondition isBelow(ScoreTerm other) {
    return new ScoreCondition(binary(Op.BELOW, other));
  }

  /** Whether it is less than a number. */
  public ScoreCondition isBelow(double other) {
    return isBelow(constant(other));
  }

  /** Whether it is {@code other} or less. */
  public ScoreCondition isAtMost(ScoreTerm other) {
    return new ScoreCondition(binary(Op.AT_MOST, other));
  }

  /** Whether it is a number or less. */
  public ScoreCondition isAtMost(double other) {
    return isAtMost(constant(other));
  }

  /** Whether both are equal. */
  public ScoreCondition isEqualTo(ScoreTerm other) {
    return new ScoreCondition(binary(Op.EQUAL, other));
  }

  /** Whether it equals a number. */
  public ScoreCondition isEqualTo(double other) {
    return isEqualTo(constant(other));
  }

  private ScoreTerm binary(Op with, ScoreTerm other) {
    return of(with, this, Objects.requireNonNull(other, "other"));
  }

  /** The formula, of which a long one is cut. */
  @Override
  public String toString() {
    return text(MOST_DEPTH);
  }

  private String text(int depth) {
    if (op == Op.CONSTANT) {
      return Float.toString(constant);
    }
    return depth == 0
        ? "…"
        : op.format.formatted(operands.stream().map(it -> it.text(depth - 1)).toArray());
  }
}
