package dev.fovea.cli.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SoftmaxTest {

  @Test
  void rowsAreWeights() {
    int width = 77;
    Random random = new Random(3);
    Softmax softmax = new Softmax(width);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate(width * 4L, 4);
      for (int visible : new int[] {1, 7, 8, 33, width}) {
        double[] x = new double[width];
        double sum = 0;
        for (int i = 0; i < width; i++) {
          x[i] = (float) (random.nextGaussian() * 20);
          row.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) x[i]);
          sum += i < visible ? Math.exp(x[i]) : 0;
        }
        softmax.apply(row, 0, visible, width);
        for (int i = 0; i < width; i++) {
          double exact = i < visible ? Math.exp(x[i]) / sum : 0;
          assertEquals(exact, row.getAtIndex(ValueLayout.JAVA_FLOAT, i), 1e-6 + 2e-5 * exact);
        }
      }
    }
  }
}
