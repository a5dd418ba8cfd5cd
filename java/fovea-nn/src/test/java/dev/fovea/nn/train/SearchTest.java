package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.nn.train.Search.Objective;
import dev.fovea.nn.train.Search.Point;
import dev.fovea.nn.train.Search.Trial;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class SearchTest {
  private static Search search(long seed) {
    return new Search(seed)
        .uniform("dropout", -0.5, 1.5)
        .logUniform("rate", 1e-4, 1e2)
        .integers("layers", -1, 2)
        .choice("norm", "layer", "rms", 7);
  }

  private static List<Point> points(long seed, int count) {
    List<Point> points = new ArrayList<>();
    search(seed)
        .random(
            count,
            1,
            (point, budget) -> {
              points.add(point);
              return 0;
            });
    return points;
  }

  private static void count(Map<Object, Integer> counts, Object what) {
    counts.merge(what, 1, Integer::sum);
  }

  /** Shares of 10000 points are within five standard deviations of what they should be. */
  @Test
  void pointsAreSpreadAsTheSpaceSays() {
    int all = 10_000;
    Map<Object, Integer> counts = new HashMap<>();
    for (Point point : points(1, all)) {
      double dropout = point.real("dropout");
      double rate = point.real("rate");
      assertTrue(dropout >= -0.5 && dropout < 1.5, "dropout " + dropout);
      assertTrue(rate >= 1e-4 && rate < 1e2, "rate " + rate);
      count(counts, "dropout " + (int) Math.floor((dropout + 0.5) * 2)); // 4 quarters
      count(counts, "decade " + (int) Math.floor(Math.log10(rate))); // 6 decades
      count(counts, "layers " + point.integer("layers"));
      count(counts, "norm " + point.value("norm", Object.class));
    }
    assertEquals(4 + 6 + 4 + 3, counts.size(), counts.toString());
    counts.forEach(
        (what, count) -> {
          String name = what.toString();
          int kinds = name.startsWith("decade") ? 6 : name.startsWith("norm") ? 3 : 4;
          double p = 1.0 / kinds;
          assertEquals(all * p, count, 5 * Math.sqrt(all * p * (1 - p)), name);
        });
  }

  @Test
  void pointsFollowFromTheSeed() {
    List<Point> some = points(3, 20);
    assertEquals(some, points(3, 20));
    assertEquals(some, points(3, 50).subList(0, 20), "those of more points are others");
    assertNotEquals(some, points(4, 20));
    Set<Map<String, Object>> different = new HashSet<>();
    some.forEach(it -> different.add(it.values()));
    assertEquals(20, different.size());
    assertEquals(List.of("dropout", "rate", "layers", "norm"), names(some.getFirst()));
  }

  private static List<String> names(Point point) {
    return List.copyOf(point.values().keySet());
  }

  @Test
  void theBestComesFirst() {
    List<Trial> trials =
        search(5).random(40, 9, (point, budget) -> Math.abs(Math.log(point.real("rate"))));
    assertEquals(40, trials.size());
    for (int i = 0; i < trials.size(); i++) {
      Trial it = trials.get(i);
      assertEquals(9, it.budget());
      assertEquals(Math.abs(Math.log(it.point().real("rate"))), it.value());
      assertTrue(i == 0 || trials.get(i - 1).value() <= it.value());
    }
  }

  /** Rounds of 13 points by thirds: 13, 4, 1. Budgets 5, 15, 45. */
  @Test
  void successiveHalving() {
    TreeMap<Integer, List<Integer>> rounds = new TreeMap<>();
    // A large budget shows what a small one hides: the best of a few at the end is another.
    Objective objective =
        (point, budget) -> {
          rounds.computeIfAbsent(budget, it -> new ArrayList<>()).add(point.number());
          return budget < 15 ? point.number() : -point.number();
        };
    List<Trial> trials = new Search(1).uniform("x", 0, 1).halving(13, 5, 3, objective);
    assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), rounds.get(5));
    assertEquals(List.of(0, 1, 2, 3), rounds.get(15));
    assertEquals(List.of(3), rounds.get(45));
    assertEquals(3, rounds.size());
    assertEquals(
        List.of(3, 2, 1, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12),
        trials.stream().map(it -> it.point().number()).toList());
    assertEquals(
        List.of(45, 15, 15, 15, 5, 5, 5, 5, 5, 5, 5, 5, 5),
        trials.stream().map(Trial::budget).toList());
    assertEquals(-3, trials.getFirst().value());
  }

  @Test
  void halvingEndsWithOne() {
    for (int points = 1; points <= 20; points++) {
      for (int factor = 2; factor <= 5; factor++) {
        List<Integer> budgets = new ArrayList<>();
        List<Trial> trials =
            search(2)
                .halving(
                    points,
                    1,
                    factor,
                    (point, budget) -> {
                      budgets.add(budget);
                      return point.real("dropout");
                    });
        assertEquals(points, trials.size());
        int most = trials.getFirst().budget();
        long last = budgets.stream().filter(it -> it == most).count();
        assertEquals(1, last, points + " points, factor " + factor);
        double best = trials.stream().mapToDouble(Trial::value).min().orElseThrow();
        assertEquals(best, trials.getFirst().value());
      }
    }
  }

  @Test
  void failuresAreWorst() {
    Objective objective =
        (point, budget) ->
            switch (point.number()) {
              case 1 -> throw new TrainingException(3, "the loss of step 3 is NaN");
              case 2 -> Double.NaN;
              default -> 1e300 - point.number();
            };
    List<Trial> trials = search(1).random(5, 1, objective);
    assertEquals(List.of(0, 3, 4, 1, 2), trials.stream().map(it -> it.point().number()).toList());
    assertEquals(Double.POSITIVE_INFINITY, trials.get(3).value());
    assertEquals(Double.POSITIVE_INFINITY, trials.get(4).value());
    IllegalStateException failure = new IllegalStateException("a fault");
    assertSame(
        failure,
        assertThrows(
            IllegalStateException.class,
            () ->
                search(1)
                    .halving(
                        4,
                        1,
                        2,
                        (point, budget) -> {
                          throw failure;
                        })));
  }

  @Test
  void whatFailedDoesNotGoOn() {
    List<Integer> tried = new ArrayList<>();
    List<Trial> trials =
        search(1)
            .halving(
                8,
                1,
                2,
                (point, budget) -> {
                  tried.add(point.number());
                  return point.number() == 6 && budget < 4 ? 1 : Double.NaN;
                });
    assertEquals(List.of(0, 1, 2, 3, 4, 5, 6, 7, 6), tried);
    assertEquals(new Trial(trials.getFirst().point(), 2, 1), trials.getFirst());
    assertEquals(8, trials.size());
  }

  private static void refuses(Runnable what) {
    assertThrows(IllegalArgumentException.class, what::run);
  }

  @Test
  void refusesWhatMakesNoSense() {
    Search search = new Search(1).uniform("x", 0, 1);
    Objective none = (point, budget) -> 0;
    refuses(() -> search.uniform("x", 0, 1));
    refuses(() -> search.uniform("y", 1, 1));
    refuses(() -> search.uniform("y", 0, Double.NaN));
    refuses(() -> search.uniform("y", Double.NEGATIVE_INFINITY, 1));
    refuses(() -> search.uniform("y", 0, Double.POSITIVE_INFINITY));
    refuses(() -> search.logUniform("y", 0, 1));
    refuses(() -> search.integers("y", 2, 1));
    refuses(() -> search.choice("y"));
    refuses(() -> search.random(0, 1, none));
    refuses(() -> search.random(1, 0, none));
    refuses(() -> search.halving(1, 0, 2, none));
    refuses(() -> search.halving(1, 1, 1, none));
    refuses(() -> search.random(1, 1, (point, budget) -> point.integer("x")));
    refuses(() -> search.random(1, 1, (point, budget) -> point.real("z")));
    assertThrows(
        ArithmeticException.class, () -> search.halving(8, Integer.MAX_VALUE / 2, 2, none));
  }

  /** All of them are drawn, the widest range too. */
  @Test
  void widestRanges() {
    Search search =
        new Search(6)
            .integers("all", Integer.MIN_VALUE, Integer.MAX_VALUE)
            .integers("one", 4, 4)
            .uniform("wide", -Double.MAX_VALUE, Double.MAX_VALUE)
            .logUniform("narrow", 1e10, Math.nextUp(1e10))
            .logUniform("tiny", Double.MIN_VALUE, Double.MAX_VALUE);
    int negative = 0;
    for (Trial it : search.random(100, 1, (point, budget) -> point.integer("all"))) {
      negative += it.value() < 0 ? 1 : 0;
      assertEquals(4, it.point().integer("one"));
      assertEquals(1e10, it.point().real("narrow"));
      assertTrue(Double.isFinite(it.point().real("wide")));
      assertTrue(it.point().real("tiny") > 0 && it.point().real("tiny") < Double.MAX_VALUE);
    }
    assertEquals(50, negative, 25);
  }
}
