package dev.fovea.nn.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.fovea.nn.Parameter;
import dev.fovea.nn.Parameters;
import java.util.ArrayList;
import java.util.List;

/** Values, what models compute with, and gradients of all parameters at some time. */
record Snapshot(List<float[]> all) {
  static Snapshot of(Parameters parameters) {
    List<float[]> all = new ArrayList<>();
    for (Parameter each : parameters.all()) {
      all.add(each.value().toFloatArray());
      all.add(each.computed().toFloatArray());
      all.add(each.gradient().toFloatArray());
    }
    return new Snapshot(all);
  }

  /** Fails unless all bits are the same. */
  void assertSame(Snapshot found) {
    assertEquals(all.size(), found.all.size());
    for (int i = 0; i < all.size(); i++) {
      assertArrayEquals(all.get(i), found.all.get(i));
    }
  }
}
