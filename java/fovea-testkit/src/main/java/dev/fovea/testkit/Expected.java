package dev.fovea.testkit;

import dev.fovea.DType;
import java.util.Arrays;

/**
 * What must stand in one output buffer, element by element in memory order, so that comparing needs
 * no knowledge of layouts.
 */
public final class Expected {

  /** The element is not written: the pattern from before the call is still there. */
  public static final byte UNTOUCHED = 0;

  /** The element equals {@link #value} within {@link #allowed}. */
  public static final byte COMPARE = 1;

  /** The element may hold anything. */
  public static final byte FREE = 2;

  /** Fewer elements say too little about a mean. */
  public static final int RMSE_MINIMUM = 1024;

  private final DType dtype;
  private final double[] value;
  private final double[] allowed;
  private final byte[] state;
  private double weightVariance;
  private double rowSquares;
  private double outputVariance;
  private double roundingVariance;
  private double arithmeticSquares;
  private double knownWeights;
  private double knownOutput;
  private double knownRounding;
  private double knownSquares;
  private double definitionSquares;
  private double cutSquares;
  private long counted;

  /** An output of {@code elements} elements of which none is written. */
  public Expected(DType dtype, int elements) {
    this.dtype = dtype;
    this.value = new double[elements];
    this.allowed = new double[elements];
    this.state = new byte[elements];
  }

  /** Type of the elements. */
  public DType dtype() {
    return dtype;
  }

  /** Number of elements of the buffer. */
  public int elements() {
    return value.length;
  }

  /** The exact result of element {@code i}. */
  public double value(int i) {
    return value[i];
  }

  /** The largest error of element {@code i}; 0 where an infinity must be met. */
  public double allowed(int i) {
    return allowed[i];
  }

  /** What element {@code i} is held to: one of the constants. */
  public byte state(int i) {
    return state[i];
  }

  /** Element {@code i} is {@code exact} within {@code error}. */
  public void expect(int i, double exact, double error) {
    value[i] = exact;
    allowed[i] = error;
    state[i] = COMPARE;
  }

  /**
   * Element {@code i} is {@code exact} but for float32 arithmetic, which may err by {@code
   * arithmetic}, and for one rounding of what that gave; it is counted for the root mean square.
   * Free where a finite number may be beyond its type.
   */
  public void expectRounded(int i, double exact, double arithmetic) {
    boolean beyond = Double.isInfinite(Rounding.round(dtype, Math.abs(exact) + arithmetic));
    if (Double.isInfinite(arithmetic) || Double.isFinite(exact) && beyond) {
      free(i, exact);
      return;
    }
    double unit = Rounding.unit(dtype);
    double last =
        arithmetic == 0
            ? unit * Math.abs(exact)
            : Math.max(Rounding.subnormalHalf(dtype), unit * (Math.abs(exact) + arithmetic));
    expect(i, exact, arithmetic + last);
    if (!Double.isNaN(exact)) {
      double rounding = Rounding.round(dtype, exact) - exact;
      count(0, unit * unit / 6 * exact * exact, rounding, arithmetic);
    }
  }

  /** Element {@code i} may hold anything; {@code exact} is what the formula gives. */
  public void free(int i, double exact) {
    value[i] = exact;
    state[i] = FREE;
  }

  /** Elements [begin, end) are held to {@code what}: one of the constants. */
  public void set(int begin, int end, byte what) {
    Arrays.fill(state, begin, end, what);
  }

  /**
   * Adds one element to the bound of the root mean square error.
   *
   * @param weights variance that rounded weights cause
   * @param output variance that a rounded output causes, by the model of uniform errors
   * @param rounding the output's rounding error itself, known exactly
   * @param arithmetic bound of the float32 error
   */
  public void count(double weights, double output, double rounding, double arithmetic) {
    weightVariance += weights;
    outputVariance += output;
    roundingVariance += rounding * rounding;
    arithmeticSquares += arithmetic * arithmetic;
    counted++;
  }

  /**
   * Says that the elements counted since the last time share the errors of their weights, whose
   * variances sum to {@code weights}; see {@link #allowedRmse}.
   */
  public void countRow(double weights) {
    rowSquares += weights * weights;
  }

  /**
   * Counts one element as {@link #count} does, whose error is no matter of chance: it is known what
   * becomes of its weights if they are rounded.
   *
   * @param error what that makes of the element
   */
  public void countKnown(
      double weights, double output, double rounding, double arithmetic, double error) {
    count(weights, output, rounding, arithmetic);
    knownWeights += weights;
    knownOutput += output;
    knownRounding += rounding * rounding;
    knownSquares += error * error;
  }

  /**
   * Counts one element as {@link #count} does, whose weights are rounded so coarsely that their
   * definition says how.
   *
   * @param definition the error that this makes of the element
   * @param cut mean square of what sums lose beside
   */
  public void countDefined(
      double weights,
      double output,
      double rounding,
      double arithmetic,
      double definition,
      double cut) {
    count(weights, output, rounding, arithmetic);
    definitionSquares += definition * definition;
    cutSquares += cut;
  }

  /**
   * The bound of the root mean square error; infinite where there are too few elements.
   *
   * <p>With rounded weights it is the specification's, 1.3 sqrt(mean(u^2/6 (...))) plus the float32
   * term, where the model's variance of the output rounding gives way to the exact one if that is
   * larger: the model takes mantissas as spread evenly, and many equal results need not be.
   *
   * <p>With float32 weights there is a sharper one. Let e be the error of rounding the exact result
   * and d the float32 error before rounding. If d does not carry the result over a rounding
   * boundary, the error is e. If it does, e was within d of half a step and the error is at most
   * |e| + 2d. So the root mean square is at most rms(e) + 2 rms(d).
   *
   * <p>Where rows are counted, their variances E_r are exact for the sizes of their weights, and
   * the room above them is that of chance: the sum of squared errors of a row is a quadratic form
   * in independent errors, whose variance is at most 2 E_r^2, rows are independent of each other,
   * and four standard deviations are allowed.
   *
   * <p>Where a definition says how weights are rounded, 1.1 of its own error is allowed for theirs,
   * or what variances allow if that is more: weights that are rounded otherwise have other errors.
   *
   * <p>Elements whose errors are known are no sample of anything: if their squares instead of their
   * variances give a larger bound, it is that.
   */
  public double allowedRmse() {
    if (counted < RMSE_MINIMUM) {
      return Double.POSITIVE_INFINITY;
    }
    double arithmetic = Math.sqrt(arithmeticSquares / counted);
    if (weightVariance == 0 && cutSquares == 0) {
      return Math.sqrt(roundingVariance / counted) + 2 * arithmetic;
    }
    double model = squares(weightVariance, outputVariance, roundingVariance);
    double known =
        knownSquares
            + squares(
                weightVariance - knownWeights,
                outputVariance - knownOutput,
                roundingVariance - knownRounding);
    return Math.sqrt(Math.max(model, known) / counted) + arithmetic;
  }

  private double squares(double weights, double output, double rounding) {
    double room = rowSquares == 0 ? 0.69 * weights : 4 * Math.sqrt(2 * rowSquares);
    return Math.max(weights + room, 1.21 * definitionSquares)
        + cutSquares
        + Math.max(1.69 * output, rounding);
  }
}
