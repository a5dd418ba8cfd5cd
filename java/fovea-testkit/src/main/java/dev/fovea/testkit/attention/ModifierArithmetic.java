package dev.fovea.testkit.attention;

/**
 * What a {@link Modifier} is written in: as the product takes it, or as numbers of the oracle.
 *
 * @param <T> a number of a pair of query and key
 */
interface ModifierArithmetic<T> {

  T number(double x);

  T batch();

  T head();

  /** Position of the query among the keys. */
  T query();

  /** Position of the key. */
  T key();

  /** A number of the head; the column is exact. */
  T table(T column);

  T plus(T a, T b);

  T minus(T a, T b);

  T times(T a, T b);

  T dividedBy(T a, T b);

  T min(T a, T b);

  T max(T a, T b);

  T abs(T a);

  T sqrt(T a);

  T log(T a);

  T exp(T a);

  T tanh(T a);

  T sigmoid(T a);

  /** {@code then} where a is below b, both exact. */
  T whereBelow(T a, T b, T then, T otherwise);
}
