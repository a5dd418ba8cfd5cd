package dev.fovea.nn.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.Function;

/**
 * Looks for hyper-parameters that make a number small: at random (Bergstra and Bengio, Random
 * search for hyper-parameter optimization, 2012), or by successive halving, which gives most of the
 * effort to what looks best (Jamieson and Talwalkar, Non-stochastic best arm identification and
 * hyperparameter optimization, 2016, arXiv 1502.07943, figure 3).
 *
 * {@snippet :
 * Search search = new Search(seed).logUniform("rate", 1e-5, 1e-2).integers("layers", 1, 4);
 * Search.Trial best = search.halving(27, 100, 3, (point, steps) -> {
 *   return validationLoss(point.real("rate"), point.integer("layers"), steps);
 * }).getFirst();
 * }
 *
 * <p>Points follow from the seed and the space alone. Trials run one after the other: each may use
 * all of the machine.
 */
public final class Search {
  private static final Comparator<Trial> BY_VALUE =
      Comparator.comparingDouble(Trial::value).thenComparingInt(it -> it.point.number);

  private final long seed;
  private final Map<String, Function<SplittableRandom, Object>> space = new LinkedHashMap<>();

  /**
   * What is tried.
   *
   * @param number from 0 on, of this search: a seed for the trial, or the name of a checkpoint
   * @param values by their names, in the order of the space
   */
  public record Point(int number, Map<String, Object> values) {
    /** Keeps a copy that does not change. */
    public Point {
      values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    }

    /** A number. */
    public double real(String name) {
      return value(name, Number.class).doubleValue();
    }

    /** A number without a fraction. */
    public int integer(String name) {
      return value(name, Integer.class);
    }

    /**
     * A value.
     *
     * @throws IllegalArgumentException if there is none of that name, or it is of another type
     */
    public <T> T value(String name, Class<T> type) {
      Object value = values.get(name);
      if (!type.isInstance(value)) {
        throw new IllegalArgumentException(
            "no %s has the name %s in %s".formatted(type.getSimpleName(), name, values));
      }
      return type.cast(value);
    }
  }

  /** What is to become small. */
  @FunctionalInterface
  public interface Objective {
    /**
     * Tries a point from the start, or from what a smaller budget left of it.
     *
     * @param budget for the point in all: of steps, epochs, or examples
     */
    double value(Point point, int budget);
  }

  /**
   * What came of a point.
   *
   * @param budget that it was given last
   * @param value infinity where training failed or gave no number
   */
  public record Trial(Point point, int budget, double value) {}

  /** A search in an empty space. */
  public Search(long seed) {
    this.seed = seed;
  }

  /** Adds a number, {@code from <= x < to}, all alike. */
  public Search uniform(String name, double from, double to) {
    requireRange(name, from, to, Double.NEGATIVE_INFINITY);
    return with(name, random -> random.nextDouble(from, to));
  }

  /** Adds a number, {@code 0 < from <= x < to}, whose logarithms are all alike. */
  public Search logUniform(String name, double from, double to) {
    requireRange(name, from, to, 0);
    double lowest = Math.log(from);
    double highest = Math.log(to);
    return with(
        name,
        random -> {
          double x = Math.exp(lowest + (highest - lowest) * random.nextDouble());
          return Math.clamp(x, from, Math.nextDown(to)); // of rounding
        });
  }

  /** Adds an int, {@code from <= x <= to}, all alike. */
  public Search integers(String name, int from, int to) {
    if (from > to) {
      throw new IllegalArgumentException(
          "%s is from %d to %d, which is nothing".formatted(name, from, to));
    }
    return with(name, random -> (int) random.nextLong(from, to + 1L));
  }

  /** Adds one of some values, all alike. */
  public Search choice(String name, Object... values) {
    List<Object> all = List.of(values);
    if (all.isEmpty()) {
      throw new IllegalArgumentException(name + " has no values to choose from");
    }
    return with(name, random -> all.get(random.nextInt(all.size())));
  }

  private static void requireRange(String name, double from, double to, double above) {
    if (!(from > above && from < to && to < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "%s is from %s to %s, expected finite numbers%s, the second one larger"
              .formatted(name, from, to, above == 0 ? " above 0" : ""));
    }
  }

  private Search with(String name, Function<SplittableRandom, Object> draw) {
    if (space.putIfAbsent(Objects.requireNonNull(name, "name"), draw) != null) {
      throw new IllegalArgumentException("there are two values of the name " + name);
    }
    return this;
  }

  /** The first so many points. */
  private List<Point> points(int count) {
    List<Point> points = new ArrayList<>();
    for (int i = 0; i < atLeast(1, "points", count); i++) {
      // Each from a seed of its own: of more points, the first ones are the same.
      SplittableRandom random = new SplittableRandom(seed + 0x9E3779B97F4A7C15L * (i + 1L));
      Map<String, Object> values = new LinkedHashMap<>();
      space.forEach((name, draw) -> values.put(name, draw.apply(random)));
      points.add(new Point(i, values));
    }
    return points;
  }

  private static int atLeast(int least, String name, int value) {
    if (value < least) {
      throw new IllegalArgumentException(
          "%s is %d, expected at least %d".formatted(name, value, least));
    }
    return value;
  }

  /**
   * Tries points at random.
   *
   * @param points how many
   * @param budget of each
   * @return the best first; a trial that throws a {@link TrainingException} or gives NaN is worst,
   *     what else it throws ends the search
   */
  public List<Trial> random(int points, int budget, Objective objective) {
    return round(points(points), atLeast(1, "budget", budget), objective);
  }

  /**
   * Successive halving: tries points at random with a small budget, the best of them with a larger
   * one, and so on until one is left; what failed does not go on. Every round costs about as much.
   *
   * @param points how many at first
   * @param budget of each of them at first
   * @param factor at least 2: one of so many goes on, with so many times the budget
   * @return each point with its last trial: the larger the budget, the earlier, then the better;
   *     failures as {@link #random}
   * @throws ArithmeticException if a budget overflows an int
   */
  public List<Trial> halving(int points, int budget, int factor, Objective objective) {
    atLeast(1, "budget", budget);
    atLeast(2, "factor", factor);
    List<Trial> done = new ArrayList<>();
    List<Point> left = points(points);
    int each = budget;
    while (true) {
      List<Trial> trials = round(left, each, objective);
      long sound = trials.stream().filter(it -> it.value < Double.POSITIVE_INFINITY).count();
      int some = Math.max(trials.size() / factor, trials.size() > 1 ? 1 : 0);
      int kept = (int) Math.min(some, sound); // what failed would fail again
      done.addAll(0, trials.subList(kept, trials.size()));
      if (kept == 0) {
        return done;
      }
      left = trials.subList(0, kept).stream().map(Trial::point).toList();
      each = Math.multiplyExact(each, factor);
    }
  }

  private static List<Trial> round(List<Point> points, int budget, Objective objective) {
    List<Trial> trials = new ArrayList<>();
    for (Point point : points) {
      trials.add(new Trial(point, budget, value(point, budget, objective)));
    }
    trials.sort(BY_VALUE);
    return trials;
  }

  private static double value(Point point, int budget, Objective objective) {
    double value;
    try {
      value = objective.value(point, budget);
    } catch (TrainingException e) {
      return Double.POSITIVE_INFINITY;
    }
    return Double.isNaN(value) ? Double.POSITIVE_INFINITY : value;
  }
}
