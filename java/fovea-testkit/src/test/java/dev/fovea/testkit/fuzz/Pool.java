package dev.fovea.testkit.fuzz;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;

/** Things that a round has made, some of them closed by now. Safe for several threads. */
final class Pool<T> {

  private final int capacity;
  private final List<T> all = new ArrayList<>();

  Pool(int capacity) {
    this.capacity = capacity;
  }

  /** Takes the place of another once there are many. */
  synchronized void add(Random random, T it) {
    if (all.size() < capacity) {
      all.add(it);
    } else {
      all.set(random.nextInt(capacity), it);
    }
  }

  /** Null where there is none. */
  synchronized T any(Random random) {
    return all.isEmpty() ? null : all.get(random.nextInt(all.size()));
  }

  /** One that is wanted if there is, or any; null where there is none. */
  synchronized T any(Random random, Predicate<T> wanted) {
    for (int i = 0; i < all.size() && i < 40; i++) {
      T it = all.get(random.nextInt(all.size()));
      if (wanted.test(it)) {
        return it;
      }
    }
    return any(random);
  }

  synchronized List<T> list() {
    return List.copyOf(all);
  }
}
