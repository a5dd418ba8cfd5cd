package dev.fovea.testkit.linear;

import java.util.Arrays;

/**
 * A state in float64, or the gradient of one, with what a right kernel's may differ by: for each
 * element the variance of its roundings, which are independent, and a bound of all that leans one
 * way. Both go on with the element: a decay makes them smaller as it does the element.
 *
 * <ul>
 *   <li>A float32 rounding of x is at most u |x|, u = 2^-24, with a variance of u^2 x^2 / 3. A step
 *       has three: of a S, of x y where the sum is not fused, of their sum. Six standard deviations
 *       are allowed; with constant data, where each step rounds alike, the sum of the bounds.
 *   <li>Under the delta rule errors of a column pass through (I - beta k k^T) a, whose norm is at
 *       most g = max a max(1, |1 - beta |k|^2|): element by element they would seem to grow where
 *       they do not. There the tracked variance and bound are those of the norm of a column: a sum
 *       over it, weighted by w, errs by |w| times them.
 * </ul>
 */
final class TrackedState {

  static final double FLOAT_UNIT = 0x1p-24;

  /** exp may flush what is not a normal float32. */
  static final double FLUSHED = 0x1p-125;

  private static final double DEVIATIONS = 6;

  private final int rows;
  private final int columns;
  private final boolean constant;
  private final boolean delta;
  private final double[] state;
  private final double[] variance; // delta: of columns
  private final double[] bound; // likewise

  /** Zeros. */
  TrackedState(int rows, int columns, boolean constant, boolean delta) {
    this.rows = rows;
    this.columns = columns;
    this.constant = constant;
    this.delta = delta;
    state = new double[rows * columns];
    variance = new double[delta ? columns : rows * columns];
    bound = new double[variance.length];
  }

  double at(int row, int column) {
    return state[row * columns + column];
  }

  /** An exact element. */
  void set(int row, int column, double value) {
    state[row * columns + column] = value;
  }

  double error(int row, int column) {
    int at = delta ? column : row * columns + column;
    return bound[at] + DEVIATIONS * Math.sqrt(variance[at]);
  }

  /** Multiplies rows. */
  void decay(Row decay) {
    double most = 0;
    double relative = 0;
    for (int r = 0; r < rows; r++) {
      most = Math.max(most, decay.value()[r]);
      relative = Math.max(relative, decay.error()[r]);
    }
    if (delta) {
      for (int c = 0; c < columns; c++) {
        variance[c] *= most * most;
        bound[c] *= most;
      }
    }
    for (int r = 0; r < rows; r++) {
      double a = decay.value()[r];
      double relativeError = decay.error()[r];
      for (int c = 0; c < columns; c++) {
        int i = r * columns + c;
        int at = delta ? c : i;
        if (!delta) {
          variance[at] *= a * a;
          bound[at] *= a;
        }
        double product = a * state[i];
        // Of a column the norm: at most the sum of what its elements add.
        bound[at] += relativeError * Math.abs(product) + FLUSHED * Math.abs(state[i]);
        state[i] = product;
        round(at, product);
      }
    }
  }

  /** Adds the product of a column and a row. */
  void add(Row x, Row y) {
    for (int r = 0; r < rows; r++) {
      double xr = x.value()[r];
      double xe = x.error()[r];
      for (int c = 0; c < columns; c++) {
        int i = r * columns + c;
        int at = delta ? c : i;
        double product = xr * y.value()[c];
        double ye = y.error()[c];
        bound[at] += Math.abs(xr) * ye + xe * (Math.abs(y.value()[c]) + ye);
        state[i] += product;
        round(at, product);
        round(at, state[i]);
      }
    }
  }

  private void round(int at, double value) {
    double most = FLOAT_UNIT * value;
    if (value != 0 && Math.abs(value) < Float.MIN_NORMAL) {
      bound[at] += Float.MIN_VALUE; // as coarse as all below
    }
    if (constant) {
      bound[at] += Math.abs(most);
    } else {
      variance[at] += most * most / 3;
    }
  }

  /** Takes all errors of the columns through a matrix of that norm. */
  void grow(double norm) {
    for (int c = 0; c < columns; c++) {
      variance[c] *= norm * norm;
      bound[c] *= norm;
    }
  }

  /** More error of the norm of a column. */
  void addError(int column, double deviation, double bias) {
    variance[column] += deviation * deviation;
    bound[column] += bias;
  }

  /** w^T S. */
  void readColumns(Row w, Row out) {
    double norm = Row.norm(w.value());
    double wErrorNorm = Row.norm(w.error());
    for (int c = 0; c < columns; c++) {
      double sum = 0;
      double size = 0;
      double own = 0;
      double spread = 0;
      double lean = 0;
      for (int r = 0; r < rows; r++) {
        double wr = w.value()[r];
        double we = w.error()[r];
        double s = at(r, c);
        sum += wr * s;
        size += Math.abs(wr * s);
        own += we * Math.abs(s);
        if (!delta) {
          double most = Math.abs(wr) + we;
          spread += most * most * variance[r * columns + c];
          lean += most * bound[r * columns + c];
        }
      }
      if (delta) {
        spread = (norm + wErrorNorm) * (norm + wErrorNorm) * variance[c];
        lean = (norm + wErrorNorm) * bound[c];
      }
      double error = own + lean + DEVIATIONS * Math.sqrt(spread) + summation(rows) * size;
      out.set(c, sum, error + FLUSHED);
    }
  }

  /** S y; of a state with the columns of keys, whose errors are {@code factor} times these. */
  void readRows(Row y, Row out, double factor) {
    for (int r = 0; r < rows; r++) {
      double sum = 0;
      double size = 0;
      double own = 0;
      double spread = 0;
      double lean = 0;
      for (int c = 0; c < columns; c++) {
        int at = delta ? c : r * columns + c;
        double yc = y.value()[c];
        double s = at(r, c);
        double most = Math.abs(yc) + y.error()[c];
        sum += yc * s;
        size += Math.abs(yc * s);
        own += y.error()[c] * Math.abs(s);
        spread += most * most * variance[at];
        lean += most * bound[at];
      }
      double errors = factor * (lean + DEVIATIONS * Math.sqrt(spread));
      out.set(r, sum, own + errors + summation(columns) * size + FLUSHED);
    }
  }

  /** Relative error of a float32 sum of {@code terms} terms that were summed in any order. */
  double summation(int terms) {
    return FLOAT_UNIT * (2 + (constant ? terms : 2 * Math.sqrt(terms)));
  }

  /** Back to zeros. */
  void clear() {
    Arrays.fill(state, 0);
    Arrays.fill(variance, 0);
    Arrays.fill(bound, 0);
  }
}
