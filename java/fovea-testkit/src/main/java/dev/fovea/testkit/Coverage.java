package dev.fovea.testkit;

import dev.fovea.testkit.CheckReport.PairCount;
import dev.fovea.testkit.CheckReport.Quantiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/** Counts what cases covered, and holds it against the committed minima. */
public final class Coverage {

  private static final int RAREST = 20;

  // A number for each value of a feature that was met, and by it how often, with which others: a
  // case has
  // a thousand pairs and more.
  private final Map<String, Map<String, Integer>> numbers = new HashMap<>();
  private final List<String[]> values = new ArrayList<>(); // feature and value
  private int[][] counts =
      new int[0][0]; // of pairs, the first number the lower; of a value with itself: alone
  private final Map<String, List<Integer>> sizes = new TreeMap<>();
  private final String width;
  private final int widest;
  private final Properties minima;
  private final double featured; // share of the cases that may have every feature
  private long cases;

  /** Of no case yet. */
  public Coverage(Operation operation, Pass pass, Limits limits) {
    width = operation.width();
    widest = operation.widest(limits);
    minima = load(operation.minima(pass, limits));
    featured = operation.toString().equals("attention") ? 1 - limits.plain() : 1;
  }

  /** Adds a finished case. */
  public void add(CheckedCase c, int tileQueries, int tileKeys) {
    cases++;
    Map<String, String> features = c.features();
    int[] met = new int[features.size()];
    int at = 0;
    for (Map.Entry<String, String> it : features.entrySet()) {
      met[at++] = number(it.getKey(), it.getValue());
    }
    for (int i = 0; i < met.length; i++) {
      int[] others = counts[met[i]];
      for (int j = i; j < met.length; j++) {
        others[met[j]]++;
      }
    }
    c.sizes(tileQueries, tileKeys).forEach(this::size);
  }

  private int number(String feature, String value) {
    Map<String, Integer> known = numbers.computeIfAbsent(feature, f -> new HashMap<>());
    Integer number = known.get(value);
    if (number == null) {
      number = values.size();
      known.put(value, number);
      values.add(new String[] {feature, value});
      if (number == counts.length) {
        int room = Math.max(64, 2 * number);
        int[][] more = new int[room][];
        for (int i = 0; i < room; i++) {
          more[i] = i < number ? Arrays.copyOf(counts[i], room) : new int[room];
        }
        counts = more;
      }
    }
    return number;
  }

  private void size(String name, int value) {
    sizes.computeIfAbsent(name, n -> new ArrayList<>()).add(value);
  }

  /** Cases by feature and value. */
  public Map<String, Map<String, Integer>> single() {
    Map<String, Map<String, Integer>> single = new TreeMap<>();
    for (int i = 0; i < values.size(); i++) {
      single
          .computeIfAbsent(values.get(i)[0], f -> new TreeMap<>())
          .put(values.get(i)[1], counts[i][i]);
    }
    return single;
  }

  /** Different pairs of feature values. */
  public int pairs() {
    return allPairs().size();
  }

  private List<PairCount> allPairs() {
    List<PairCount> all = new ArrayList<>();
    for (int i = 0; i < values.size(); i++) {
      for (int j = 0; j < values.size(); j++) {
        if (i != j && counts[i][j] > 0) {
          all.add(new PairCount(name(i), name(j), counts[i][j]));
        }
      }
    }
    return all;
  }

  private String name(int number) {
    return values.get(number)[0] + "=" + values.get(number)[1];
  }

  List<PairCount> rarestPairs() {
    return allPairs().stream()
        .sorted(
            Comparator.comparingInt(PairCount::count)
                .thenComparing(PairCount::first)
                .thenComparing(PairCount::second))
        .limit(RAREST)
        .toList();
  }

  /** Quantiles by quantity. */
  public Map<String, Quantiles> sizes() {
    Map<String, Quantiles> quantiles = new TreeMap<>();
    sizes.forEach((name, values) -> quantiles.put(name, quantiles(values)));
    return quantiles;
  }

  private static Quantiles quantiles(List<Integer> values) {
    int[] sorted = values.stream().mapToInt(Integer::intValue).sorted().toArray();
    int n = sorted.length;
    return new Quantiles(
        sorted[0],
        sorted[n / 2],
        sorted[Math.min(n - 1, n * 9 / 10)],
        sorted[Math.min(n - 1, n * 99 / 100)],
        sorted[n - 1]);
  }

  /** The committed minima, see the comments in the file. */
  private static Properties load(String resource) {
    Properties properties = new Properties();
    try (InputStream in = Coverage.class.getResourceAsStream(resource)) {
      properties.load(in);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
    return properties;
  }

  /** True if enough cases ran for the minima to mean something. */
  public boolean judged() {
    return cases >= Long.parseLong(minima.getProperty("cases"));
  }

  /** What falls short of the minima. */
  public List<String> belowMinimum() {
    List<String> short0 = new ArrayList<>();
    if (!judged()) {
      return short0;
    }
    Quantiles widths = sizes().get(width);
    if (widths.maximum() < widest) {
      short0.add("maximum of %s is %d, not %d".formatted(width, widths.maximum(), widest));
    }
    Map<String, Map<String, Integer>> single = single();
    for (String key : minima.stringPropertyNames()) {
      int least = Integer.parseInt(minima.getProperty(key));
      String[] parts = key.split("\\.", 3);
      switch (parts[0]) {
        case "value" -> {
          int met = single.getOrDefault(parts[1], Map.of()).getOrDefault(parts[2], 0);
          // Minima are per thousand cases.
          if (met * 1000L < least * cases * featured) {
            short0.add("%s=%s: %d of %d cases".formatted(parts[1], parts[2], met, cases));
          }
        }
        case "pairs" -> {
          if (pairs() < least) {
            short0.add("%d different pairs of feature values, not %d".formatted(pairs(), least));
          }
        }
        case "quantile" -> {
          Quantiles q = sizes().get(parts[1].replace('_', ' '));
          int met = q == null ? 0 : quantile(q, parts[2]);
          if (met < least) {
            short0.add("%s of %s is %d, not %d".formatted(parts[2], parts[1], met, least));
          }
        }
        default -> {}
      }
    }
    short0.sort(null);
    return short0;
  }

  private static int quantile(Quantiles q, String name) {
    return switch (name) {
      case "median" -> q.median();
      case "p90" -> q.p90();
      case "p99" -> q.p99();
      case "maximum" -> q.maximum();
      default -> throw new IllegalArgumentException(Arrays.asList("no such quantile", name) + "");
    };
  }
}
