package dev.fovea.testkit.attention;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What a case may have beside a plain one, and cases in which every two of these meet: four at a
 * time, which are six pairs; one pair at a time took the simulator three times as long. Features
 * that set the same thing, or leave less of a case to look at, as a single query does, meet one
 * other at a time.
 *
 * @param <T> what makes a case
 */
final class FeatureGrid<T> {

  private static final int TOGETHER = 4;

  /** Set by what shares a case with one other only. */
  private static final String ALL = "all";

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
  void addAlone(String name, Consumer<T> change) {
    add(ALL, name, change);
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
          together.stream().forEach(feature -> met.get(feature).or(together));
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
    int best = -1;
    int most = 0;
    for (int next = 0; next < features.size(); next++) {
      BitSet pairs = (BitSet) together.clone();
      pairs.andNot(met.get(next));
      if (pairs.cardinality() > most && fits(next, together)) {
        best = next;
        most = pairs.cardinality();
      }
    }
    return best;
  }

  private boolean fits(int next, BitSet together) {
    String sets = features.get(next).sets;
    return !sets.equals(ALL)
        && together.stream()
            .mapToObj(other -> features.get(other).sets)
            .noneMatch(other -> other.equals(ALL) || other.equals(sets));
  }

  private T make(BitSet together, Function<String, T> plain) {
    List<Feature<T>> of = together.stream().mapToObj(features::get).toList();
    T made = plain.apply(of.stream().map(Feature::name).collect(Collectors.joining(", ")));
    of.forEach(feature -> feature.change.accept(made));
    return made;
  }
}
