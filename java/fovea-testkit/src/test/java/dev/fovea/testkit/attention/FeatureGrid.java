package dev.fovea.testkit.attention;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What a case may have beside a plain one, and cases in which every two of these meet: eight at a
 * time, which are 28 pairs; four at a time took twice as long, and one pair at a time three times
 * that. Features that set the same thing meet one other at a time. Where a feature leaves less of a
 * case to look at, as a single query does, the others have met it and not each other.
 *
 * @param <T> what makes a case
 */
final class FeatureGrid<T> {

  private static final int TOGETHER = 8;

  /** Set by what leaves less to look at. */
  private static final String REDUCING = "reduced";

  private record Feature<T>(String sets, String name, Consumer<T> change) {}

  private final List<Feature<T>> features = new ArrayList<>();

  /**
   * Adds a feature.
   *
   * @param sets what it sets: two of the same are in no case with others
   */
  void add(String sets, String name, Consumer<T> change) {
    features.add(new Feature<>(sets, name, change));
  }

  /** Adds one that leaves less of a case to look at. */
  void addReducing(String name, Consumer<T> change) {
    add(REDUCING, name, change);
  }

  /** Adds those of a part of what makes a case. */
  <U> void addAll(FeatureGrid<U> others, Function<T, U> part) {
    others.features.forEach(f -> add(f.sets, f.name, made -> f.change.accept(part.apply(made))));
  }

  /**
   * Cases with each feature alone, and with every two together.
   *
   * @param plain makes one without any, for features of these names
   */
  List<T> cases(Function<String, T> plain) {
    List<BitSet> met = features.stream().map(f -> new BitSet()).toList();
    List<T> cases = new ArrayList<>();
    for (int a = 0; a < features.size(); a++) {
      for (int b = a; b < features.size(); b++) {
        if (!met.get(a).get(b)) {
          BitSet together = with(a, b, met);
          BitSet reducing = reducing(together);
          together.stream()
              .forEach(
                  f -> met.get(f).or(reducing.isEmpty() || reducing.get(f) ? together : reducing));
          cases.add(make(together, plain));
        }
      }
    }
    return cases;
  }

  private BitSet with(int a, int b, List<BitSet> met) {
    BitSet together = new BitSet();
    together.set(a);
    boolean more = a != b && fits(b, together);
    together.set(b);
    while (more && together.cardinality() < TOGETHER) {
      int next = mostNew(together, met);
      more = next >= 0;
      if (more) {
        together.set(next);
      }
    }
    return together;
  }

  /** The feature that adds the most pairs not met; -1: none does. */
  private int mostNew(BitSet together, List<BitSet> met) {
    BitSet reducing = reducing(together);
    int best = -1;
    int most = 0;
    for (int next = 0; next < features.size(); next++) {
      BitSet pairs = (BitSet) (reducing.isEmpty() ? together : reducing).clone();
      pairs.andNot(met.get(next));
      boolean whole = !features.get(next).sets.equals(REDUCING);
      if (pairs.cardinality() > most && whole && fits(next, together)) {
        best = next;
        most = pairs.cardinality();
      }
    }
    return best;
  }

  private BitSet reducing(BitSet together) {
    BitSet reducing = new BitSet();
    together.stream().filter(f -> features.get(f).sets.equals(REDUCING)).forEach(reducing::set);
    return reducing;
  }

  private boolean fits(int next, BitSet together) {
    String sets = features.get(next).sets;
    return together.stream().noneMatch(other -> features.get(other).sets.equals(sets));
  }

  private T make(BitSet together, Function<String, T> plain) {
    List<Feature<T>> of = together.stream().mapToObj(features::get).toList();
    T made = plain.apply(of.stream().map(Feature::name).collect(Collectors.joining(", ")));
    of.forEach(feature -> feature.change.accept(made));
    return made;
  }
}
