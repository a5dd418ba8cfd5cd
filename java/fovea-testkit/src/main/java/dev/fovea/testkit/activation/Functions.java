package dev.fovea.testkit.activation;

import dev.fovea.Activation.Function;
import dev.fovea.testkit.Sigmoid;
import java.util.function.DoubleUnaryOperator;

/**
 * Activation functions and their derivatives in float64, by their definitions, with the error that
 * a right float32 kernel may make. Written apart from any kernel, but for the form that the bounds
 * are of.
 *
 * <p>With u = 2^-24: a power e^-y rounds its argument, times log2(e), twice, and has 4e-7 of its
 * own, as that of {@link Sigmoid}: a relative error of 2 u y + 4e-7. What is not normal may be
 * flushed, and what is so small is taken times a = |z| at most.
 *
 * <p>gelu, gelu_tanh and silu are z G(z), for a G that is 1 less what it is of -z. From t = G(-a)
 * they are z - a t above 0, and -a t below: an error of a dt and one rounding, two without a fused
 * multiply-add. Their derivatives are 1 - w and w, with w = t - a G'(a), which has the errors of t
 * and of both terms.
 *
 * <ul>
 *   <li>Of gelu t is a power of a^2 / 2, which is rounded once more, times the ratio t e^(a^2 / 2):
 *       a rational function of a right to 6e-7 (eight terms, by a reciprocal that the ratio hangs
 *       on 2.6 times as much as on itself, and a minimax error of 8.4e-8). So dt = t (3 u a^2 / 2 +
 *       1e-6).
 *   <li>Of silu t is sigmoid(-a), with the error that {@link Sigmoid} has; of gelu_tanh, that of v
 *       = 2 sqrt(2 / pi) (a + 0.044715 a^3), which is off by 4 u v: three operations and two
 *       constants.
 *   <li>sigmoid' = p / (1 + p)^2 with p = e^-a has the error of p and of four operations, and tanh'
 *       is four times that of 2 a. tanh is right to 2.5 units in its last place.
 * </ul>
 *
 * <p>All that of a z that may itself be off, by which a value moves as far as between the ends.
 */
final class Functions {

  private static final double UNIT = Sigmoid.UNIT;
  private static final double FLUSHED = Sigmoid.FLUSHED;
  private static final double POWER = 4e-7;
  private static final double RATIO = 6e-7;
  private static final double FIRST = 2 * Math.sqrt(2 / Math.PI);
  private static final double THIRD = FIRST * 0.044715;

  /** Beyond, tails are 0 in float32 and in what they are multiplied with. */
  private static final double FAR = 128;

  private Functions() {}

  static Measured value(Function f, Measured z) {
    if (f == Function.IDENTITY) {
      return z;
    }
    if (f == Function.RELU) {
      return z.value() > 0 ? z : new Measured(z.value() <= 0 ? 0 : z.value(), 0);
    }
    return measured(of(f, z.value()), valueError(f, z.value()), z, x -> of(f, x));
  }

  static Measured slope(Function f, Measured z) {
    if (f == Function.IDENTITY) {
      return Measured.exact(1);
    }
    if (f == Function.RELU) { // the sign of a sum of two is right
      return Measured.exact(z.value() > 0 ? 1 : z.value() <= 0 ? 0 : z.value());
    }
    return measured(slopeOf(f, z.value()), slopeError(f, z.value()), z, x -> slopeOf(f, x));
  }

  private static Measured measured(
      double exact, double own, Measured z, DoubleUnaryOperator function) {
    if (Double.isNaN(exact) || Double.isInfinite(z.value())) {
      return Measured.exact(exact);
    }
    if (z.error() == 0) {
      return Measured.rounded(exact, own);
    }
    if (Double.isInfinite(z.error())) {
      return new Measured(exact, z.error());
    }
    double low = function.applyAsDouble(z.value() - z.error()) - exact;
    double high = function.applyAsDouble(z.value() + z.error()) - exact;
    double turn = z.error() * z.error(); // where neither end says how far it goes between
    return Measured.rounded(exact, own + Math.max(Math.abs(low), Math.abs(high)) + turn);
  }

  /** f(z). */
  static double of(Function f, double z) {
    return switch (f) {
      case IDENTITY -> z;
      case RELU -> z > 0 ? z : z <= 0 ? 0 : z;
      case GELU, GELU_TANH, SILU ->
          z == Double.NEGATIVE_INFINITY ? 0 : z * share(f, z); // otherwise no infinity meets a 0
      case SIGMOID -> Sigmoid.of(z);
      case TANH -> Math.tanh(z);
    };
  }

  /** f'(z). */
  static double slopeOf(Function f, double z) {
    return switch (f) {
      case IDENTITY -> 1;
      case RELU -> z > 0 ? 1 : z <= 0 ? 0 : z;
      case GELU, GELU_TANH, SILU ->
          Double.isInfinite(z) ? (z > 0 ? 1 : 0) : share(f, z) + z * density(f, z);
      case SIGMOID -> Sigmoid.of(z) * Sigmoid.of(-z);
      case TANH -> 4 * Sigmoid.of(2 * z) * Sigmoid.of(-2 * z);
    };
  }

  /** G of a function z G(z). */
  private static double share(Function f, double z) {
    return switch (f) {
      case GELU -> normal(z);
      case GELU_TANH -> Sigmoid.of(cubic(z));
      case SILU -> Sigmoid.of(z);
      default -> throw new IllegalArgumentException(f + " is no z G(z)");
    };
  }

  /** Its derivative. */
  private static double density(Function f, double z) {
    double logistic = Sigmoid.of(f == Function.SILU ? z : cubic(z));
    double below = Sigmoid.of(-(f == Function.SILU ? z : cubic(z)));
    return switch (f) {
      case GELU -> bell(z);
      case SILU -> logistic * below;
      default -> below == 0 || logistic == 0 ? 0 : logistic * below * cubicSlope(z);
    };
  }

  private static double cubic(double z) {
    return z * (FIRST + THIRD * z * z);
  }

  private static double cubicSlope(double z) {
    return FIRST + 3 * THIRD * z * z;
  }

  private static double bell(double z) {
    return Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
  }

  /** The normal distribution function, to 1e-12 of itself however small it is. */
  static double normal(double z) {
    double a = Math.abs(z);
    if (a < 3) { // of terms that are all positive
      double term = a;
      double sum = a;
      for (int n = 3; term > sum * 1e-16; n += 2) {
        term *= a * a / n;
        sum += term;
      }
      return 0.5 + Math.copySign(bell(a) * sum, z);
    }
    double fraction = a; // Laplace: a + 1 / (a + 2 / (a + 3 / ...))
    for (int n = 40; n >= 1; n--) {
      fraction = a + n / fraction;
    }
    double tail = bell(a) / fraction;
    return z < 0 ? tail : z > 0 ? 1 - tail : z;
  }

  private static double valueError(Function f, double z) {
    double a = Math.min(Math.abs(z), FAR);
    return switch (f) {
      case GELU, GELU_TANH, SILU -> {
        double t = share(f, -a);
        yield a * tailError(f, a) + UNIT * a * t;
      }
      case SIGMOID -> Sigmoid.error(z, 0);
      case TANH -> 4 * UNIT * Math.abs(Math.tanh(z));
      default -> 0;
    };
  }

  /** Of G(-a). */
  private static double tailError(Function f, double a) {
    return switch (f) {
      case GELU -> normal(-a) * (3 * UNIT * a * a / 2 + POWER + RATIO) + FLUSHED;
      case SILU -> Sigmoid.error(-a, 0);
      default -> Sigmoid.error(-cubic(a), 4 * UNIT * cubic(a));
    };
  }

  private static double slopeError(Function f, double z) {
    double a = Math.min(Math.abs(z), FAR);
    return switch (f) {
      case GELU -> {
        double own = POWER + RATIO + 3 * UNIT * a * a / 2;
        yield (normal(-a) + a * bell(a)) * (own + 3 * UNIT) + (1 + a) * FLUSHED;
      }
      case GELU_TANH, SILU -> {
        // t (1 - a v' (1 - t)), with the last product in three operations, and v' in three more.
        double v = f == Function.SILU ? 1 : cubicSlope(a);
        double t = share(f, -a);
        double product = a * v * share(f, a);
        yield t == 0
            ? FLUSHED * FAR
            : tailError(f, a) * (1 + product) + t * (1 + product * 8) * UNIT;
      }
      case SIGMOID -> slopeOf(f, z) * (2 * UNIT * a + POWER + 5 * UNIT) + FLUSHED;
      case TANH -> slopeOf(f, z) * (4 * UNIT * a + POWER + 5 * UNIT) + 4 * FLUSHED;
      default -> 0;
    };
  }
}
