package dev.fovea.testkit.pairs;

import java.util.Arrays;
import java.util.function.IntToDoubleFunction;

/**
 * The local linear fit of a row in float64, by its normal equations, with the errors that a right
 * kernel may make:
 *
 * <pre>
 *   y_j = (k_j - q) / |h|;  m = sum_j p_j y_j;  A = sum_j p_j (y_j - m)(y_j - m)^T + ridge I
 *   c = A^-1 m;  f_j = 1 - &lt;c, y_j - m&gt;
 * </pre>
 *
 * <p>A kernel solves them in float64 for weights p_j (1 + d_j) that sum to 1, the only thing in
 * them that float32 rounds, all by sizes |d_j|. With |x|_A = sqrt(x^T A^-1 x) and l_j = |y_j -
 * m|_A, so that sum_j p_j l_j^2 <= D however ill A is,
 *
 * <ul>
 *   <li>m moves by at most tau = sum_j p_j d_j l_j, and A, relative to itself, by eta = sum_j p_j
 *       d_j l_j^2 + tau^2.
 *   <li>dm - dA c is sum_j p_j d_j f_j (y_j - m) + dm &lt;c, dm&gt;, and &lt;c, dm&gt; is sum_j p_j
 *       d_j (1 - f_j), at most phi. So c moves by no more than e_c = (sum_j p_j d_j |f_j| l_j + tau
 *       phi) / (1 - eta), as A measures, and f_j by e_c (l_j + tau) + phi.
 *   <li>Values have a plane, too: slopes b = A^-1 sum_j p_j (v_j - mean) (y_j - m), and t_j = v_j -
 *       mean - &lt;b, y_j - m&gt; is left of them. As f is orthogonal to planes but for the ridge,
 *       sum_j p_j f_j v_j moves by sum_j p_j d_j f_j t_j and no more to first order, exactly by
 *       that with f_j as it is moved: what a plane explains does not count.
 *   <li>Sums and solutions in float64 err as {@link ScoreRow#summation} has it, with 2^-53, of sums
 *       about the nearest key.
 * </ul>
 *
 * <p>Where eta is {@link #MOST_ETA} or more a fit is vague: nothing is promised of it (fovea.h).
 */
final class LinearFit {

  /** What a ridge of 0 counts as: fovea.h. */
  private static final double LEAST_RIDGE = 0x1p-32;

  private static final double DOUBLE_UNIT = 0x1p-53;
  private static final double MOST_ETA = 0.5;

  private final DistanceRow row;
  private final int dim;
  private final double ridge;
  private final double[] z; // [n, D]: y_j less y of the nearest key
  private final double[] mean; // of z
  private final double[] sizes; // means of |z|
  private final double[] m;
  private final double[] c;
  private final double[][] whitening; // W, with A^-1 = W^T W
  private final double[] scale; // sqrt of (A^-1)_aa
  private final double[] length; // l_j
  private final double[] f;
  private final double[] fErrors;
  private final double[][] noise; // of A, in float64
  private final double[] own; // p_j d_j before weights sum to 1
  private final double[] moved; // p_j d_j
  private double[] p;
  private double unit; // of sums in float64
  private double all; // the sum of these
  private double tau;
  private double eta;
  private double phi;
  private double cNoise;
  private double cError;

  LinearFit(DistanceRow row, int dim, int keys, double ridge) {
    this.row = row;
    this.dim = dim;
    this.ridge = ridge == 0 ? LEAST_RIDGE : ridge;
    z = new double[keys * dim];
    mean = new double[dim];
    sizes = new double[dim];
    m = new double[dim];
    c = new double[dim];
    whitening = new double[dim][dim];
    noise = new double[dim][dim];
    scale = new double[dim];
    length = new double[keys];
    f = new double[keys];
    fErrors = new double[keys];
    own = new double[keys];
    moved = new double[keys];
  }

  /**
   * Fits the row that is computed.
   *
   * @param weights p
   * @param errors of weights before they sum to 1, relative
   */
  void compute(double[] weights, double[] errors) {
    p = weights;
    unit = 8 * DOUBLE_UNIT + row.summation(row.count()) * (DOUBLE_UNIT / ScoreRow.FLOAT_UNIT);
    all = 0;
    for (int j = 0; j < row.count(); j++) {
      own[j] = p[j] * errors[j] + Oracle.FLUSHED;
      all += own[j];
    }
    locate();
    factor();
    for (int a = 0; a < dim; a++) {
      c[a] = 0;
      for (int k = 0; k < dim; k++) {
        c[a] += whitening[k][a] * product(whitening[k], m);
      }
    }
    double[] white = new double[dim];
    for (int j = 0; j < row.count(); j++) {
      f[j] = 1;
      for (int a = 0; a < dim; a++) {
        f[j] -= c[a] * from(j, a);
        white[a] = 0;
        for (int k = 0; k <= a; k++) {
          white[a] += whitening[a][k] * from(j, k);
        }
      }
      length[j] = norm(white);
    }
    bound();
  }

  /** z, m and A, whose place {@link #whitening} has. */
  private void locate() {
    int best = 0;
    for (int j = 0; j < row.count(); j++) {
      best = row.score(j) > row.score(best) ? j : best;
    }
    Arrays.fill(mean, 0);
    Arrays.fill(sizes, 0);
    for (int j = 0; j < row.count(); j++) {
      for (int a = 0; a < dim; a++) {
        z[j * dim + a] = row.between(best, j, a);
        mean[a] += p[j] * z[j * dim + a];
        sizes[a] += p[j] * size(j, a);
      }
    }
    for (int a = 0; a < dim; a++) {
      m[a] = row.distance(best, a) + mean[a];
      for (int k = 0; k <= a; k++) {
        double sum = a == k ? ridge : 0;
        double absolute = 2 * sizes[a] * sizes[k];
        for (int j = 0; j < row.count(); j++) {
          sum += p[j] * from(j, a) * from(j, k);
          absolute += p[j] * size(j, a) * size(j, k);
        }
        whitening[a][k] = sum;
        noise[a][k] = unit * absolute;
      }
    }
    for (int a = 0; a < dim; a++) {
      for (int k = 0; k <= a; k++) {
        double columns = Math.sqrt(whitening[a][a] * whitening[k][k]);
        noise[a][k] += (dim + 4) * DOUBLE_UNIT * columns; // Cholesky's own
        noise[k][a] = noise[a][k];
      }
    }
  }

  /** From A to the inverse of its Cholesky factor. */
  private void factor() {
    double[][] l = new double[dim][dim];
    for (int a = 0; a < dim; a++) {
      for (int k = 0; k <= a; k++) {
        double x = whitening[a][k];
        for (int i = 0; i < k; i++) {
          x -= l[a][i] * l[k][i];
        }
        l[a][k] = a == k ? Math.sqrt(Math.max(x, ridge)) : x / l[k][k];
      }
    }
    Arrays.fill(scale, 0);
    for (int k = 0; k < dim; k++) {
      for (int a = k; a < dim; a++) {
        double x = a == k ? 1 : 0;
        for (int i = k; i < a; i++) {
          x -= l[a][i] * whitening[i][k];
        }
        whitening[a][k] = x / l[a][a];
        scale[k] += whitening[a][k] * whitening[a][k];
      }
      Arrays.fill(whitening[k], k + 1, dim, 0);
    }
    for (int a = 0; a < dim; a++) {
      scale[a] = Math.sqrt(scale[a]);
    }
  }

  private void bound() {
    tau = 0;
    eta = 0;
    phi = 0;
    double weighed = 0;
    for (int j = 0; j < row.count(); j++) {
      moved[j] = (own[j] + p[j] * all) / (1 - all);
      tau += moved[j] * length[j];
      eta += moved[j] * length[j] * length[j];
      phi += moved[j] * Math.abs(1 - f[j]);
      weighed += moved[j] * Math.abs(f[j]) * length[j];
    }
    cNoise = solveNoise(c);
    double offset = 0;
    for (int a = 0; a < dim; a++) {
      offset += scale[a] * unit * sizes[a];
      cNoise += scale[a] * unit * (sizes[a] + Math.abs(m[a]));
      for (int k = 0; k < dim; k++) {
        eta += scale[a] * scale[k] * noise[a][k];
      }
    }
    eta += tau * tau;
    tau += offset;
    cNoise /= 1 - eta;
    cError = (weighed + tau * phi) / (1 - eta) + cNoise;
    for (int j = 0; j < row.count(); j++) {
      fErrors[j] = cError * (length[j] + tau) + phi + planeNoise(j, 1, c);
    }
  }

  /** Of A x = b, by what A errs in float64. */
  private double solveNoise(double[] x) {
    double error = 0;
    for (int a = 0; a < dim; a++) {
      for (int k = 0; k < dim; k++) {
        error += scale[a] * noise[a][k] * Math.abs(x[k]);
      }
    }
    return error;
  }

  /** Element of y_j - m. */
  private double from(int j, int a) {
    return z[j * dim + a] - mean[a];
  }

  /** Size of an element of z. */
  private double size(int j, int a) {
    return Math.abs(z[j * dim + a]);
  }

  private static double product(double[] x, double[] y) {
    double sum = 0;
    for (int a = 0; a < x.length; a++) {
      sum += x[a] * y[a];
    }
    return sum;
  }

  private static double norm(double[] x) {
    return Math.sqrt(product(x, x));
  }

  /** Whether nothing is promised of the row. */
  boolean isVague() {
    return !(all < MOST_ETA && eta < MOST_ETA) && !row.sawNaN();
  }

  /** f_j. */
  double factor(int j) {
    return f[j];
  }

  /** What it errs by. */
  double factorError(int j) {
    return fErrors[j];
  }

  double c(int a) {
    return c[a];
  }

  double cError(int a) {
    return cError * scale[a];
  }

  /** Of a level less &lt;vector, y_j - m&gt;, in float64. */
  private double planeNoise(int j, double level, double[] vector) {
    double terms = level;
    for (int a = 0; a < dim; a++) {
      terms += Math.abs(vector[a]) * (size(j, a) + sizes[a]);
    }
    return (dim + 8) * unit * terms;
  }

  /**
   * Of sum_j p_j f_j v_j, but for what that sum itself rounds.
   *
   * @param v the values, and their plane
   * @param again relative error between the weights of the fit and those of the sum
   */
  double outError(IntToDoubleFunction v, Plane plane, IntToDoubleFunction again) {
    double out = 0;
    for (int j = 0; j < row.count(); j++) {
      out += p[j] * f[j] * v.applyAsDouble(j);
    }
    double error = 0;
    for (int j = 0; j < row.count(); j++) {
      double value = v.applyAsDouble(j);
      error +=
          own[j] * Math.abs(f[j] * plane.rest[j] + plane.pull) / (1 - all)
              + moved[j] * fErrors[j] * Math.abs(plane.rest[j])
              + (p[j] + moved[j])
                  * again.applyAsDouble(j)
                  * (Math.abs(f[j] * value - out) + fErrors[j] * Math.abs(value))
              + p[j] * Math.abs(value) * (cNoise * length[j] + planeNoise(j, 1, c));
    }
    return error;
  }

  /** The plane of values g_j, which err by so much. */
  Plane plane(IntToDoubleFunction g, IntToDoubleFunction errors) {
    return new Plane(g, errors);
  }

  /** The plane of values g_j: their slopes e, and t_j = g_j - mean - &lt;e, y_j - m&gt;. */
  final class Plane {
    private final IntToDoubleFunction errors;
    private final double[] slope = new double[dim];
    private final double[] rest = new double[row.count()];
    private final double pull;
    private double absolute; // mean of |g|
    private double shift; // of what all of t have in common
    private double error; // of the slopes, as A measures

    private Plane(IntToDoubleFunction g, IntToDoubleFunction errors) {
      this.errors = errors;
      double middle = 0;
      for (int j = 0; j < row.count(); j++) {
        middle += p[j] * g.applyAsDouble(j);
        absolute += p[j] * Math.abs(g.applyAsDouble(j));
      }
      double[] moment = new double[dim];
      double[] moments = new double[dim]; // of sizes
      for (int j = 0; j < row.count(); j++) {
        for (int a = 0; a < dim; a++) {
          moment[a] += p[j] * (g.applyAsDouble(j) - middle) * from(j, a);
          moments[a] += p[j] * Math.abs(g.applyAsDouble(j)) * size(j, a);
        }
      }
      for (int a = 0; a < dim; a++) {
        for (int k = 0; k < dim; k++) {
          slope[a] += whitening[k][a] * product(whitening[k], moment);
        }
      }
      shift = unit * absolute;
      for (int j = 0; j < row.count(); j++) {
        rest[j] = g.applyAsDouble(j) - middle;
        for (int a = 0; a < dim; a++) {
          rest[j] -= slope[a] * from(j, a);
        }
        double change = moved[j] * Math.abs(rest[j]) + (p[j] + moved[j]) * errors.applyAsDouble(j);
        shift += change;
        error += change * length[j];
      }
      error += tau * shift + solveNoise(slope);
      for (int a = 0; a < dim; a++) {
        error += scale[a] * unit * (moments[a] + 3 * absolute * sizes[a]);
      }
      error /= 1 - eta;
      pull = ridge * product(c, slope);
    }

    double slope(int a) {
      return slope[a];
    }

    double slopeError(int a) {
      return error * scale[a];
    }

    /** t_j. */
    double rest(int j) {
      return rest[j];
    }

    double restError(int j) {
      return errors.applyAsDouble(j)
          + shift
          + error * (length[j] + tau)
          + planeNoise(j, absolute, slope);
    }

    /** ridge &lt;c, e&gt;. */
    double pull() {
      return pull;
    }

    /** As ridge A^-1 is no more than 1. */
    double pullError() {
      return Math.sqrt(ridge) * (cError * norm(slope) + norm(c) * error)
          + cError * error
          + 8 * DOUBLE_UNIT * ridge * norm(c) * norm(slope);
    }
  }
}
