package dev.fovea.testkit.attention;

import java.util.Arrays;

/**
 * What the tensor cores of compute capability 9.0 lose of a sum of products of e4m3.
 *
 * <p>A step cuts its 32 products and the sum so far toward zero to multiples of 2^(e-13), 2^e the
 * largest exponent of these, at most the largest size; adds them exactly; and cuts the sum to 13
 * bits behind its first (Xie, Wang, Yang, Yang, arXiv 2511.10909).
 *
 * <p><b>At the worst</b>, in units of the sum of the sizes of n products: what is said of those of
 * 16 bits at {@link Oracle}, with 2^-13 in place of 2^-24, is that products cost 2 sqrt(n) 2^-13,
 * and n 2^-13 where data are constant. The sum so far is cut where a product has a larger exponent,
 * by less than 2^-13 of that product, of which there is another each time: 2^-13 in all. And it is
 * cut where it rises to another binade: by half of 2^-13 of it as often as every other step, and
 * over whole climbs by 2^-13 of its last and as much again. Together (n/128 + 3) 2^-13, and less in
 * the first steps: no more than (n/32 + 2) 2^-13.
 *
 * <p><b>On average</b>, as a mean over elements has it, and an element within six deviations, since
 * signs are random. Let x be the sum, G^2 the sum of the squares of the products and M^2 the
 * largest square. The sum so far has a mean square of up to x^2 / 3 + G^2 / 6 over the steps, as a
 * walk that ends at x, and 2^e one of R^2 = M^2 + x^2 / 3 + G^2 / 6. A product of two factors with
 * four bits has its last bit at 2^-6 of the exponent that it is aligned by, and is not cut from
 * 2^-6 R on; c of them are below, and lose [0, 1) of 2^-13 R each, with their signs: c/3 2^-26 R^2.
 * The sum loses half of what it does at the worst, toward zero. Together (c/3 + ((n/128 + 3) /
 * 2)^2) 2^-26 R^2.
 */
final class Float8Sums {

  /** A product of that part of 2^e has no bit that is cut. */
  private static final double UNCUT = 0x1p-6;

  private final double[] squares; // G^2 by key, then R^2
  private final double[] largest; // M^2
  private final double[] deviations;

  /** Of the scores of rows of up to so many keys. */
  Float8Sums(int keys) {
    squares = new double[keys];
    largest = new double[keys];
    deviations = new double[keys];
  }

  /** How far the scores of a row are off on average, from its first visible key on. */
  double[] ofScores(OracleRow row, OracleHead head) {
    int count = row.count();
    Arrays.fill(squares, 0, count, 0);
    Arrays.fill(largest, 0, count, 0);
    Arrays.fill(deviations, 0, count, 0);
    double[] query = row.query().value();
    double[] keys = head.keysTransposed().value();
    for (int d = 0; d < query.length; d++) {
      double factor = head.scale() * query[d];
      int at = d * head.length() + head.begin();
      for (int j = 0; j < count; j++) {
        double square = factor * keys[at + j] * (factor * keys[at + j]);
        squares[j] += square;
        largest[j] = Math.max(largest[j], square);
      }
    }
    for (int j = 0; j < count; j++) {
      squares[j] = largest[j] + row.score(j) * row.score(j) / 3 + squares[j] / 6;
    }
    for (int d = 0; d < query.length; d++) {
      double factor = head.scale() * query[d];
      int at = d * head.length() + head.begin();
      for (int j = 0; j < count; j++) {
        double product = factor * keys[at + j];
        deviations[j] += product * product < UNCUT * UNCUT * squares[j] ? 1 : 0; // c
      }
    }
    for (int j = 0; j < count; j++) {
      deviations[j] = Math.sqrt(squares[j] * lost(deviations[j], query.length));
    }
    return deviations;
  }

  /**
   * The mean square of the error of sums of so many values, in units of that of their products' own
   * squares G^2: R^2 is at most 3/2 G^2 then, since a sum of random signs has G^2 itself.
   */
  static double ofValues(int keys) {
    double terms = Math.min(keys, Precision.FLOAT8_KEYS);
    return 1.5 * lost(terms, terms);
  }

  private static double lost(double cut, double terms) {
    double times = (terms / 128 + 3) / 2;
    return Precision.FLOAT8_CUT * Precision.FLOAT8_CUT * (cut / 3 + times * times);
  }
}
